"""Receivers of notices on loopback: one that speaks HTTP and one that speaks SMTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class HttpReceiver:
    """What was posted, and what is answered."""

    url: str = ""
    status: int = 200
    answer: dict[str, Any] = field(default_factory=dict)
    received: list[tuple[web.Request, bytes]] = field(default_factory=list)


@asynccontextmanager
async def http_receiver() -> AsyncIterator[HttpReceiver]:
    """Give a receiver that answers 200 and ``{}`` until it is told otherwise."""
    receiver = HttpReceiver()

    async def take(request: web.Request) -> web.Response:
        receiver.received.append((request, await request.read()))
        return web.json_response(receiver.answer, status=receiver.status)

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = "http://127.0.0.1:{1}".format(*runner.addresses[0][:2])
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass(slots=True)
class SmtpReceiver:
    """The letters that came."""

    port: int = 0
    letters: list[str] = field(default_factory=list)


@asynccontextmanager
async def smtp_receiver() -> AsyncIterator[SmtpReceiver]:
    """Give a mail server that takes everything."""
    receiver = SmtpReceiver()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := (await reader.readline()).strip().upper():
            if line == b"DATA":
                writer.write(b"354 go on\r\n")
                receiver.letters.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(b"221 bye\r\n" if line == b"QUIT" else b"250 ok\r\n")
            if line == b"QUIT":
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
