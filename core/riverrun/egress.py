"""Where a handler's service may live: where no address serves attackers only, or where the configuration allows it.

Services on loopback and on private networks are the normal case. Link-local and metadata addresses are not: cloud
providers hand out credentials there to whoever asks from inside. The door for registrations asks here, and the
executor asks again for every address it is about to connect to, because a name can mean another address by then.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

ALLOWED_HOSTS = "a host that is not link-local, multicast, unspecified or a metadata service"
"""What a refused host should have been, as the end of a sentence."""

_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})

_FORBIDDEN: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("169.254.0.0/16"),  # link-local; the metadata services of most clouds
    IPv4Network("100.100.100.200/32"),  # the metadata service of Alibaba Cloud
    IPv4Network("168.63.129.16/32"),  # the metadata service of Azure
    IPv4Network("192.0.0.192/32"),  # the metadata service of Oracle Cloud
    IPv4Network("0.0.0.0/8"),  # "this host", which the kernel takes for loopback
    IPv4Network("224.0.0.0/4"),  # multicast
    IPv4Network("255.255.255.255/32"),
    IPv6Network("fe80::/10"),  # link-local
    IPv6Network("fd00:ec2::254/128"),  # the metadata service of AWS
    IPv6Network("fd20:ce::254/128"),  # the metadata service of Google Cloud
    IPv6Network("ff00::/8"),  # multicast
    IPv6Network("::/128"),
)

_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")

# Prefixes whose addresses carry an IPv4 address in their last 32 bits: compatible, translated, and NAT64 twice.
_CARRIERS = tuple(IPv6Network(text) for text in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"))


class Egress:
    """Where requests may go.

    Args:
        only: Networks (``10.0.0.0/8``), addresses and names (``hooks.example.org``, ``*.internal``) to which alone
            requests may go; empty: anywhere. What is forbidden is forbidden in any case.

    Attributes:
        allowed: What a refused host should have been, as the end of a sentence.
    """

    def __init__(self, only: Sequence[str] = ()) -> None:
        networks = [(entry, _network(entry)) for entry in only]
        self._networks = [network for _, network in networks if network is not None]
        self._names = [_spelt(entry) for entry, network in networks if network is None]
        self._everywhere = not only
        self.allowed = ALLOWED_HOSTS if self._everywhere else f"one of handlers.egress, and {ALLOWED_HOSTS}"

    def admits_host(self, host: str) -> bool:
        """Return whether a request may be meant for ``host``, a name or an address in any spelling.

        A name that is not listed itself may still resolve into a listed network, so what it resolves to has to be
        asked as well.
        """
        if forbidden_host(host):
            return False
        address = _address(_spelt(host))
        if address is None:
            return self._everywhere or bool(self._networks) or self._lists(host)
        return self._everywhere or self._holds(address)

    def admits_address(self, host: str, address: str) -> bool:
        """Return whether a request that is meant for the name ``host`` may go to ``address``."""
        if forbidden_host(address):
            return False
        found = _address(address)
        return self._everywhere or self._lists(host) or (found is not None and self._holds(found))

    def _lists(self, host: str) -> bool:
        name = _spelt(host)
        return any(
            name == entry or (entry.startswith("*.") and name.endswith(entry[1:]) and name != entry[1:])
            for entry in self._names
        )

    def _holds(self, address: IPv4Address | IPv6Address) -> bool:
        """Return whether everything that ``address`` may mean lies in listed networks."""
        return all(any(meant in network for network in self._networks) for meant in _targets(address))


def check_entry(entry: str) -> str:
    """Return an entry of the list of networks, addresses and names.

    Raises:
        ValueError: It is none; the message is the end of a sentence.
    """
    if _network(entry) is None and not _NAME.fullmatch(entry):
        raise ValueError("a network such as 10.0.0.0/8, an address, or a name such as hooks.example.org or *.internal")
    return entry


ANYWHERE = Egress()


def forbidden_host(host: str) -> bool:
    """Return whether no request may ever go to ``host``, a name or an address in any spelling that a resolver takes.

    A name that is not a metadata service's own is allowed here; what it resolves to has to be asked as well.
    """
    host = _spelt(host)
    address = _address(host)
    if address is None:
        return host in _METADATA_NAMES
    return any(meant in network for meant in _meanings(address) for network in _FORBIDDEN)


def _spelt(host: str) -> str:
    """Return a host as URLs spell it: full-width digits and the ideographic full stop are digits and dots."""
    return unicodedata.normalize("NFKC", host).replace("\u3002", ".").lower().rstrip(".")


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(entry)
    except ValueError:
        return None


def _targets(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """Return where a request to ``address`` ends up: an address that carries an IPv4 one means that one."""
    return _meanings(address)[1:] or [address]


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that ``host`` spells, also in the short and numeric forms of C's ``inet_aton``."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        *leading, last = (_number(part) for part in host.split("."))
    except ValueError:
        return None
    if len(leading) > 3 or any(part > 255 for part in leading) or last >= 256 ** (4 - len(leading)):
        return None
    return IPv4Address(sum(part << (24 - 8 * place) for place, part in enumerate(leading)) + last)


def _number(text: str) -> int:
    """Return a part of an address as C reads it: 0x10, 020 and 16 are the same."""
    digits, base = (text[2:], 16) if text.startswith("0x") else (text, 8 if text.startswith("0") else 10)
    if not digits.isalnum() or not digits.isascii():  # int() would take signs, spaces and underscores
        raise ValueError(text)
    return int(digits, base)


def _meanings(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """Return the address and the IPv4 addresses that an IPv6 one may carry inside."""
    if isinstance(address, IPv4Address) or address.is_loopback:
        return [address]
    carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _CARRIERS):
        carried.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [address, *(inner for inner in carried if inner is not None)]
