"""A pooler in transaction mode, as small as it can be: its clients take turns on one session of the server."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_NO_ENCRYPTION = (80877103, 80877104)
Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter


@asynccontextmanager
async def transaction_pooler(dsn: str) -> AsyncIterator[str]:
    """Give a connection string that leads to ``dsn`` through the pooler."""
    pooler = _Pooler(dsn)
    server = await asyncio.start_server(pooler.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield make_conninfo(dsn, host="127.0.0.1", port=port)
    finally:
        server.close()
        await pooler.close()


class _Pooler:
    def __init__(self, dsn: str) -> None:
        parts = conninfo_to_dict(dsn)
        self._path = f"{parts['host']}/.s.PGSQL.{parts.get('port') or 5432}"
        self._turn = asyncio.Lock()
        self._session: tuple[Reader, Writer] | None = None
        self._greeting = b""
        self._clients: set[asyncio.Task[None]] = set()

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """Serve one client until it leaves."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._greet(reader, writer)
                while True:
                    await self._transaction(reader, writer)
        finally:
            self._clients.discard(task)
            writer.close()

    async def close(self) -> None:
        """End every session."""
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        if self._session is not None:
            self._session[1].close()

    async def _greet(self, reader: Reader, writer: Writer) -> None:
        """Open the session for the first client; tell later ones what that one was told."""
        while True:
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            startup = await reader.readexactly(length - 4)
            if struct.unpack("!I", startup[:4])[0] not in _NO_ENCRYPTION:
                break
            writer.write(b"N")
        async with self._turn:
            if self._session is None:
                self._session = await asyncio.open_unix_connection(self._path)
                self._session[1].write(struct.pack("!I", length) + startup)
                self._greeting, _ = await _until_ready(self._session[0])
        writer.write(self._greeting)

    async def _transaction(self, reader: Reader, writer: Writer) -> None:
        """Lend the session to a client from its first message to the end of its transaction."""
        message = await _message(reader)
        async with self._turn:
            while message[:1] != b"X":
                assert self._session is not None
                self._session[1].write(message)
                if message[:1] in b"QS":
                    answer, state = await _until_ready(self._session[0])
                    writer.write(answer)
                    if state == b"I":
                        return
                message = await _message(reader)
        raise ConnectionError("the client has left")


async def _message(reader: Reader) -> bytes:
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!I", head[1:])
    return head + await reader.readexactly(length - 4)


async def _until_ready(reader: Reader) -> tuple[bytes, bytes]:
    """Return what the server sends up to where it is ready for more, and the state of its transaction."""
    answer = b""
    while True:
        message = await _message(reader)
        answer += message
        if message[:1] == b"Z":
            return answer, message[5:]
