"""A network that fails on command: a proxy in front of PostgreSQL that delays, starves, deafens and cuts.

    with Proxy(dsn) as proxy:
        client = connect(proxy.dsn)
        proxy.cut_after_commit(r"INSERT INTO river_job")    the server commits, nobody hears of it

It runs in a thread with an event loop of its own, so that a test may block. It understands as much of PostgreSQL's
protocol as it takes to tell which statement a client asks for, and when the server has answered it.
"""

from __future__ import annotations

import asyncio
import re
import struct
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from psycopg.conninfo import conninfo_to_dict, make_conninfo

T = TypeVar("T")

CHUNK = 65_536
_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104


class ClientMessages:
    """Cuts what a client sends into messages and says which statement each one runs."""

    def __init__(self) -> None:
        self._buffer = b""
        self._started = False
        self._prepared: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}
        self.one_byte_answers = 0

    def feed(self, data: bytes) -> list[str]:
        """Take what was sent and return the text of each statement that it tells the server to run."""
        self._buffer += data
        statements: list[str] = []
        while (message := self._next()) is not None:
            if text := self._statement(*message):
                statements.append(text)
        return statements

    def _next(self) -> tuple[bytes, bytes] | None:
        head = 1 if self._started else 0
        if len(self._buffer) < head + 4:
            return None
        end = head + int(struct.unpack_from("!I", self._buffer, head)[0])
        if len(self._buffer) < end:
            return None
        kind, body, self._buffer = self._buffer[:head], self._buffer[head + 4 : end], self._buffer[end:]
        if not self._started:
            if struct.unpack_from("!I", body)[0] in {_SSL_REQUEST, _GSS_REQUEST}:
                self.one_byte_answers += 1
            else:
                self._started = True
        return kind, body

    def _statement(self, kind: bytes, body: bytes) -> str | None:
        match kind:
            case b"Q":
                return body.rstrip(b"\0").decode(errors="replace")
            case b"P":
                name, text, _ = body.split(b"\0", 2)
                self._prepared[name] = text.decode(errors="replace")
            case b"B":
                portal, name, _ = body.split(b"\0", 2)
                self._portals[portal] = self._prepared.get(name, "")
            case b"E":
                return self._portals.get(body.split(b"\0", 1)[0])
            case _:
                pass
        return None


class ServerMessages:
    """Cuts what a server sends into messages, to see when it has answered."""

    def __init__(self, client: ClientMessages) -> None:
        self._client = client
        self._buffer = b""

    def feed(self, data: bytes) -> bool:
        """Take what was sent; return whether the server says in it that it waits for the next statement."""
        self._buffer += data
        ready = False
        while self._buffer:
            if self._client.one_byte_answers:
                self._client.one_byte_answers -= 1
                self._buffer = self._buffer[1:]
                continue
            if len(self._buffer) < 5:
                break
            end = 1 + int(struct.unpack_from("!I", self._buffer, 1)[0])
            if len(self._buffer) < end:
                break
            ready = ready or self._buffer[:1] == b"Z"
            self._buffer = self._buffer[end:]
        return ready


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._asked = ClientMessages()
        self._answered = ServerMessages(self._asked)
        self._passed = 0
        self._mute = False
        self.dead = False

    async def run(self, from_client: asyncio.StreamReader, from_server: asyncio.StreamReader) -> None:
        """Carry bytes both ways until one side ends."""
        async with asyncio.TaskGroup() as pumps:
            pumps.create_task(self._pump(from_client, self._server, self._to_server), name="to server")
            pumps.create_task(self._pump(from_server, self._client, self._to_client), name="to client")

    def close(self) -> None:
        """End the connection, for both sides without a goodbye."""
        for writer in (self._client, self._server):
            writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, look: Callable[[bytes], bytes]
    ) -> None:
        gate = self._proxy.to_server if writer is self._server else self._proxy.to_client
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await gate.wait()
                await self._proxy.hold(len(data))
                if self.dead:
                    continue
                if data := self._within_limit(look(data)):
                    writer.write(data)
                    await writer.drain()
                if self._proxy.cut_after is not None and self._passed >= self._proxy.cut_after:
                    break
        self.close()

    def _within_limit(self, data: bytes) -> bytes:
        if self._proxy.cut_after is not None:
            data = data[: max(0, self._proxy.cut_after - self._passed)]
        self._passed += len(data)
        return data

    def _to_server(self, data: bytes) -> bytes:
        for statement in self._asked.feed(data):
            if not self._mute and self._proxy.take_aim(statement):
                self._mute = True
        return data

    def _to_client(self, data: bytes) -> bytes:
        ready = self._answered.feed(data)
        if not self._mute:
            return data
        if ready:
            self._proxy.cuts += 1
            self.close()
        return b""


class Proxy:
    """Stands between clients and one PostgreSQL server; give its `dsn` to the clients.

    Attributes:
        dsn: How to reach the server through the proxy.
        cuts: Connections that were cut after a commit.
    """

    def __init__(self, dsn: str, *, host: str = "127.0.0.1") -> None:
        self._upstream = conninfo_to_dict(dsn)
        self._host = host
        self._links: set[Link] = set()
        self._aims: list[re.Pattern[str]] = []
        self._latency = 0.0
        self._rate: float | None = None
        self._refusing = False
        self.cut_after: int | None = None
        self.cuts = 0
        self.accepted = 0
        self.dsn = ""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        port = self._call(self._open())
        self.dsn = make_conninfo("", **{**self._upstream, "host": self._host, "port": port, "sslmode": "disable"})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def delay(self, seconds: float) -> None:
        """Hold every piece of data back for ``seconds``."""
        self._latency = seconds

    def throttle(self, bytes_per_second: float) -> None:
        """Let no connection carry more than ``bytes_per_second`` in one direction."""
        self._rate = bytes_per_second

    def black_hole(self, *, to_server: bool = True, to_client: bool = True) -> None:
        """Keep connections, accept new ones, and carry nothing: both ways, or one."""
        self._call(self._deafen(to_server=to_server, to_client=to_client))

    def half_open(self) -> None:
        """Let the connections there are stay open for ever and carry nothing; new ones work."""
        for link in list(self._links):
            link.dead = True

    def redirect(self, dsn: str) -> None:
        """Carry new connections to another server, and cut the ones there are."""
        self._upstream = conninfo_to_dict(dsn)
        self.cut()

    def cut_after_bytes(self, count: int) -> None:
        """Cut each connection once it has carried ``count`` bytes, in the middle of a message if need be."""
        self.cut_after = count

    def cut_after_commit(self, pattern: str, *, times: int = 1) -> None:
        """Let the server run a statement that ``pattern`` matches, keep the answer, and cut; ``times`` times."""
        self._aims += [re.compile(pattern, re.DOTALL)] * times

    def cut(self) -> None:
        """Cut all connections; new ones are welcome."""
        self._call(self._cut())

    def refuse(self) -> None:
        """Cut all connections and every new one."""
        self._refusing = True
        self.cut()

    def heal(self) -> None:
        """Be a good network again: what was held back arrives late, and nothing is in the way of new data."""
        self._latency, self._rate, self._refusing, self.cut_after = 0.0, None, False, None
        self._aims.clear()
        self._call(self._open_gates())

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._links)

    @property
    def unused_aims(self) -> int:
        """How many cuts after a commit are still to come."""
        return len(self._aims)

    def take_aim(self, statement: str) -> bool:
        """Return whether the answer to ``statement`` is one to keep back; each aim hits once."""
        for aim in self._aims:
            if aim.search(statement):
                self._aims.remove(aim)
                return True
        return False

    async def hold(self, size: int) -> None:
        """Wait for as long as ``size`` bytes are under way."""
        if seconds := self._latency + (size / self._rate if self._rate else 0.0):
            await asyncio.sleep(seconds)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        done: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(10)

    async def _open(self) -> int:
        self.to_server, self.to_client = asyncio.Event(), asyncio.Event()
        await self._open_gates()
        self._server = await asyncio.start_server(self._accept, self._host, 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _open_gates(self) -> None:
        self.to_server.set()
        self.to_client.set()

    async def _deafen(self, *, to_server: bool, to_client: bool) -> None:
        if to_server:
            self.to_server.clear()
        if to_client:
            self.to_client.clear()

    async def _cut(self) -> None:
        for link in list(self._links):
            link.close()

    async def _close(self) -> None:
        self._refusing = True  # also those that are being connected in this moment
        self._server.close()
        await self._open_gates()
        await self._cut()
        await asyncio.sleep(0)  # until a connection that was just accepted has a task
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if others:
            await asyncio.wait(others, timeout=5)  # they end by themselves, now that their connections are gone

    async def _accept(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._refusing:
            to_client.transport.abort()
            return
        try:
            from_server, to_server = await self._dial()
        except OSError:
            to_client.transport.abort()
            return
        link = Link(self, to_client, to_server)
        if self._refusing:
            link.close()
            return
        self._links.add(link)
        try:
            await link.run(from_client, from_server)
        finally:
            self._links.discard(link)
            link.close()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = str(self._upstream["host"]), self._upstream.get("port") or 5432
        if host.startswith("/"):
            return await asyncio.open_unix_connection(Path(host) / f".s.PGSQL.{port}")
        return await asyncio.open_connection(host, int(port))
