"""Takes so many connections at once and asks the next ones to come back: each costs memory, used or not.

A connection on which nothing is asked for `IDLE_SECONDS` is closed, so that those at rest make room. One too many is
answered when it asks, with 503, since an answer to somebody who still speaks is lost.
"""

from __future__ import annotations

import asyncio
from typing import cast

import orjson
from aiohttp import web

from riverrun_admin.problems import Problem

MOST_CONNECTIONS = 2_000
MOST_TURNED_AWAY = 2_000
IDLE_SECONDS = 75.0
PATIENCE_SECONDS = 5.0

_DOCUMENT = orjson.dumps(
    Problem(503, "too-many-requests", "too many connections are open; come back soon").document("")
)
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 5\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_DOCUMENT), _DOCUMENT)
)


class Entrance:
    """Makes the protocol of each new connection: the server's own, or one that turns it away."""

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._turned_away: set[_Busy] = set()

    def __call__(self) -> asyncio.BaseProtocol:
        if len(self._server.connections) < MOST_CONNECTIONS:
            return self._server()
        return _Busy(self._turned_away)


class _Busy(asyncio.Protocol):
    """Answers the first request with 503 and closes; very many are closed without a word."""

    def __init__(self, others: set[_Busy]) -> None:
        self._others = others
        self._transport: asyncio.Transport | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = made = cast("asyncio.Transport", transport)  # uvloop's are such, but of no such class
        if len(self._others) >= MOST_TURNED_AWAY:
            made.abort()
            return
        self._others.add(self)
        self._patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, made.abort)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - whatever it is
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_BUSY)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - it is gone in any case
        self._others.discard(self)
        if self._patience is not None:
            self._patience.cancel()
