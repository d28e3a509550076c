"""At which hosts a handler may be called, however they are spelt."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun.egress import forbidden_host

ALLOWED = [
    "localhost",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "10.0.0.7",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.1",
    "93.184.216.34",
    "::1",
    "fd00::1",
    "fc00::abcd",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "handlers.example.org",
    "handlers.example.org.",
    "metadata.example.org",
    "169.254.169.254.example.org",
    "a.0xa9fea9fe",
    "1.2.3.4.5",
    "999.1.1.1",
    "",
    "处理器.example",
]

FORBIDDEN = [
    "169.254.169.254",
    "169.254.0.1",
    "169.254.169.254.",
    "169.254.43518",
    "169.16689662",
    "2852039166",
    "0xa9fea9fe",
    "0XA9FEA9FE",
    "025177524776",
    "0xa9.0376.0xa9.254",
    "１６９.254.169.254",
    "169\u3002254\u3002169\uff61254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",
    "0",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "fe80::1",
    "fe80::1%eth0",
    "fe80::1%25eth0",
    "fd00:ec2::254",
    "fd20:ce::254",
    "ff02::1",
    "::",
    "::169.254.169.254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:0:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",  # teredo, by its server
    "2001:0:102:304::5601:5601",  # teredo, by its client
    "metadata",
    "Metadata.Google.Internal.",
    "metadata.goog",
    "instance-data",
    "ⓜetadata",
]

octet = st.integers(0, 255)


@pytest.mark.parametrize("host", ALLOWED)
def test_a_service_may_live_nearly_anywhere(host: str) -> None:
    assert not forbidden_host(host)


@pytest.mark.parametrize("host", FORBIDDEN)
def test_no_request_goes_to_where_credentials_are_handed_out(host: str) -> None:
    assert forbidden_host(host)


@given(st.integers(0, 2**32 - 1))
def test_every_spelling_of_an_address_is_judged_alike(number: int) -> None:
    address = IPv4Address(number)
    a, b, c, d = address.packed
    spellings = [
        str(number), hex(number), f"0{number:o}", f"{a}.{number & 0xFFFFFF}", f"{a}.{b}.{number & 0xFFFF}",
        f"{a:#x}.0{b:o}.{c}.{d:#X}", f"::ffff:{address}", str(IPv6Address((0x2002 << 112) | (number << 80) | 1)),
        str(IPv6Address((0x64FF9B << 96) | number)),
    ]  # fmt: skip

    assert {forbidden_host(spelling) for spelling in spellings} == {forbidden_host(str(address))}


@given(st.tuples(octet, octet))
def test_no_link_local_address_is_allowed(last: tuple[int, int]) -> None:
    assert forbidden_host(f"169.254.{last[0]}.{last[1]}")


@given(st.ip_addresses(network=IPv4Network("10.0.0.0/8")) | st.ip_addresses(network=IPv4Network("127.0.0.0/8")))
def test_every_private_address_is_allowed(address: IPv4Address) -> None:
    assert not forbidden_host(str(address))


@given(st.text("0123456789abcdefxX.-_+", max_size=20))
def test_numbers_are_read_as_the_resolver_reads_them(host: str) -> None:
    try:
        meant = socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return

    assert forbidden_host(host) == forbidden_host(meant)


@given(st.text(max_size=40) | st.from_regex(r"[0-9a-fA-Fx.:%\[\]]{0,60}", fullmatch=True))
def test_no_text_is_too_odd_to_be_judged(host: str) -> None:
    assert forbidden_host(host) in {True, False}


def test_thousands_of_digits_are_no_address() -> None:
    assert not forbidden_host("1" * 10_000)
    assert forbidden_host("0" * 4_000)  # as the resolver reads it: zero


def test_the_networks_named_here_are_those_python_knows() -> None:
    for host in ("169.254.0.0", "169.254.255.255", "fe80::", "febf:ffff::", "224.0.0.0", "ff00::", "0.0.0.0", "::"):
        address = ip_address(host)
        assert address.is_link_local or address.is_multicast or address.is_unspecified
        assert forbidden_host(host)
