"""Connections to services: only to allowed addresses, with the certificates that were named, never through a proxy."""

from __future__ import annotations

import asyncio
import errno
import fnmatch
import os
import socket
import ssl
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from riverrun import __version__
from riverrun.calls import FromEnvironment, FromFile, Header, Tls
from riverrun.egress import Egress

CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 15.0
MAX_SECRET_BYTES = 16 * 1024


class UnusableSettings(Exception):
    """What a handler's settings name is not there, or may not be used, on this host; never repeats a secret."""


class GuardedResolver(AbstractResolver):
    """Resolves names and drops the addresses to which no request may go, whatever the name said a moment ago.

    The connection is made to what was resolved here, so no second answer of the name's server is ever used.
    """

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the allowed addresses of ``host``; raises OSError when there are none."""
        found = await self._resolver.resolve(host, port, family)
        allowed = [entry for entry in found if self._egress.admits_address(host, entry["host"])]
        if not allowed:
            raise OSError(
                errno.EACCES, f"{host} resolves only to addresses that are not allowed; expected {self._egress.allowed}"
            )
        return allowed

    async def close(self) -> None:
        """Nothing is kept open."""


def open_session(egress: Egress, tls: ssl.SSLContext | None) -> aiohttp.ClientSession:
    """Return a session whose connections are kept for the next request; ``tls`` in place of the system's trust."""
    connector = aiohttp.TCPConnector(
        limit=0,
        keepalive_timeout=KEEPALIVE_SECONDS,
        resolver=GuardedResolver(egress),
        use_dns_cache=False,
        ssl=True if tls is None else tls,
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        auto_decompress=False,  # nothing compressed is asked for: a small answer could grow without end
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"riverrun/{__version__}"},
        skip_auto_headers=("Accept", "Accept-Encoding"),
    )


async def tls_context(files: Tls) -> ssl.SSLContext:
    """Return a context made of the named files.

    Raises:
        UnusableSettings: One of them cannot be read or is not what it should be.
    """
    try:
        return await asyncio.to_thread(_load, files)
    except (OSError, ssl.SSLError) as error:
        # The text of the error has no contents, but libraries differ: only its type is told.
        raise UnusableSettings(f"tls: the files cannot be used on this host: {type(error).__name__}") from error


def _load(files: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.ca_file)
    if files.cert_file is not None:
        # Without a password: OpenSSL would ask for one on the terminal.
        context.load_cert_chain(files.cert_file, files.key_file, password=partial(str, ""))
    return context


def header_values(headers: Mapping[str, Header], *, allowed: Sequence[str]) -> dict[str, str]:
    """Return header fields with the secrets they name.

    Args:
        headers: As they were registered.
        allowed: Patterns of the variables and files that may be named.

    Raises:
        UnusableSettings: A secret is not there or may not be used.
    """
    return {name: value if isinstance(value, str) else _found(name, value, allowed) for name, value in headers.items()}


def _found(name: str, reference: FromEnvironment | FromFile, allowed: Sequence[str]) -> str:
    place = reference.env if isinstance(reference, FromEnvironment) else reference.file
    if not any(fnmatch.fnmatchcase(place, pattern) for pattern in allowed):
        raise UnusableSettings(f"headers.{name}: {place} is not in handlers.secrets of this host")
    if isinstance(reference, FromEnvironment):
        value = os.environ.get(place, "")
    else:
        try:
            with Path(place).open("rb") as file:
                value = file.read(MAX_SECRET_BYTES).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise UnusableSettings(f"headers.{name}: {place} cannot be read: {type(error).__name__}") from error
    value = value.strip()
    if not value or not value.isprintable():
        raise UnusableSettings(f"headers.{name}: {place} holds nothing that a header field can carry")
    return reference.prefix + value
