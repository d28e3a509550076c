"""Connections to services: only to allowed addresses, with the certificates that were named, never through a proxy."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from riverrun import __version__
from riverrun.calls import Tls
from riverrun.egress import Egress
from riverrun_executor.handlers import host_files
from riverrun_executor.handlers.host_files import UnusableSettings

CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 15.0
FILES_SECONDS = 30.0
"""For so long certificates are used before somebody looks whether their files were replaced."""


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


class Connections:
    """The connections of an executor to HTTP services; they are kept for the next request.

    Attributes:
        certificates: What connections are opened with.
    """

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._session: aiohttp.ClientSession | None = None
        self.certificates = Certificates()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session of all requests."""
        if self._session is None:
            self._session = _open_session(self._egress)
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()


def _open_session(egress: Egress) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,
        keepalive_timeout=KEEPALIVE_SECONDS,
        resolver=GuardedResolver(egress),
        use_dns_cache=False,
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


class Certificates:
    """The TLS contexts of services; a new one is made when the files that it is made of were replaced.

    What is on its way ends with the certificates that it began with.
    """

    def __init__(self) -> None:
        self._made: dict[Tls, _Made] = {}
        self._making = asyncio.Lock()

    async def context(self, files: Tls | None) -> ssl.SSLContext | bool:
        """Return what a connection is opened with; True, without ``files``: what this system trusts.

        Raises:
            UnusableSettings: One of the files cannot be read or is not what it should be.
        """
        if files is None:
            return True
        if not self._is_fresh(files):
            async with self._making:
                if not self._is_fresh(files):
                    self._made[files] = await self._renewed(files)
        return self._made[files].context

    def _is_fresh(self, files: Tls) -> bool:
        return files in self._made and time.monotonic() < self._made[files].fresh_until

    async def _renewed(self, files: Tls) -> _Made:
        try:
            stamp = await asyncio.to_thread(host_files.stamp, files)
            known = self._made.get(files)
            same = known is not None and known.stamp == stamp
            context = known.context if known and same else await asyncio.to_thread(_load, files)
        except (OSError, ssl.SSLError) as error:
            # The text of the error has no contents, but libraries differ: only its type is told.
            raise UnusableSettings(f"tls: the files cannot be used on this host: {type(error).__name__}") from error
        return _Made(context, stamp, time.monotonic() + FILES_SECONDS)


@dataclass(frozen=True, slots=True)
class _Made:
    """A TLS context, what its files were like, and until when they need not be looked at."""

    context: ssl.SSLContext
    stamp: Sequence[tuple[int, int, int]]
    fresh_until: float


def _load(files: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.ca_file)
    if files.cert_file is not None:
        # Without a password: OpenSSL would ask for one on the terminal.
        context.load_cert_chain(files.cert_file, files.key_file, password=partial(str, ""))
    return context
