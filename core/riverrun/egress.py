"""Where a handler's service may live: anywhere but at addresses that only ever serve an attacker.

Services on loopback and on private networks are the normal case. Link-local addresses are not: cloud providers hand
out credentials there to whoever asks from inside.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_FORBIDDEN: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("169.254.0.0/16"),  # link-local; the metadata services of most clouds
    IPv4Network("100.100.100.200/32"),  # the metadata service of Alibaba Cloud
    IPv4Network("192.0.0.192/32"),  # the metadata service of Oracle Cloud
    IPv4Network("0.0.0.0/8"),  # "this host", which the kernel takes for loopback
    IPv4Network("224.0.0.0/4"),
    IPv4Network("255.255.255.255/32"),
    IPv6Network("fe80::/10"),
    IPv6Network("fd00:ec2::254/128"),  # the metadata service of AWS
    IPv6Network("ff00::/8"),
    IPv6Network("::/128"),
)


def forbidden_address(text: str) -> bool:
    """Return whether no request may go to the IP address ``text``; a host name is not an address and gives False."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return any(candidate in network for candidate in _meanings(address) for network in _FORBIDDEN)


def _meanings(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """Return the address and the IPv4 addresses that an IPv6 one may carry inside."""
    if isinstance(address, IPv4Address):
        return [address]
    carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    return [address, *(inner for inner in carried if inner is not None)]
