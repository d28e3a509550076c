"""A service that answers as a test tells it to, or fails in one of the ways in which services fail."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web
from multidict import CIMultiDictProxy


@dataclass(frozen=True, kw_only=True)
class Script:
    """How one request is answered.

    Attributes:
        delay: Seconds until the answer begins.
        pace: Seconds between two bytes of the body; None sends it at once.
        fault: ``close`` or ``reset`` the connection, instead of an answer or, when there is a body, within it.
        raw: Bytes to send instead of anything that is HTTP; then the connection is closed.
        endless: Bytes to send behind ``raw`` again and again, ``pace`` seconds apart, until the client hangs up.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    pace: float | None = None
    fault: Literal["close", "reset"] | None = None
    raw: bytes | None = None
    endless: bytes = b""


@dataclass(frozen=True)
class Received:
    """One request, and the client's port, which tells connections apart."""

    method: str
    path: str
    headers: CIMultiDictProxy[str]
    body: bytes
    port: int


class FaultServer:
    """Answers every request by ``script``, or by the one of its path, and remembers it.

    Attributes:
        script: For paths that ``scripts`` does not name.
        scripts: By path.
        received: The requests in their order.
        dropped: How many requests the client gave up before they were answered.
    """

    def __init__(self) -> None:
        self.script = Script()
        self.scripts: dict[str, Script] = {}
        self.received: list[Received] = []
        self.dropped = 0
        self.port = 0

    def url(self, path: str = "/handle", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        """Return the address of ``path``."""
        return f"{scheme}://{host}:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        assert request.transport is not None
        port = request.transport.get_extra_info("peername")[1]
        self.received.append(Received(request.method, request.path, request.headers, await request.read(), port))
        script = self.scripts.get(request.path, self.script)
        try:
            await asyncio.sleep(script.delay)
            return await self._follow(script, request, request.transport)
        except (asyncio.CancelledError, ConnectionResetError):
            self.dropped += 1
            raise

    async def _follow(self, script: Script, request: web.Request, transport: asyncio.Transport) -> web.StreamResponse:
        response = web.StreamResponse(status=script.status, headers=dict(script.headers))
        if script.raw is not None:
            transport.write(script.raw)
            while script.endless:  # ends by cancellation
                transport.write(script.endless)
                await asyncio.sleep(script.pace or 0)
            transport.close()
        elif script.fault is None or script.body:
            response.content_length = len(script.body) + (script.fault is not None)
            await response.prepare(request)
            await self._send(script, response)
        if script.fault == "reset":
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        elif script.fault == "close":
            transport.close()
        return response

    async def _send(self, script: Script, response: web.StreamResponse) -> None:
        if script.pace is None:
            await response.write(script.body)
            return
        for position in range(len(script.body)):
            await response.write(script.body[position : position + 1])
            await asyncio.sleep(script.pace)


@asynccontextmanager
async def fault_server(*, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[FaultServer]:
    """Give a server on 127.0.0.1, on a free port unless one is given, that lives as long as the block."""
    server = FaultServer()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        with suppress(ConnectionError):
            await runner.cleanup()
