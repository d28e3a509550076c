"""The pipe between the supervisor and one child, so that a word can pass without going through the database.

It carries hints and figures only (``riverrun.messages``), one JSON object a line. A reader that is slow never blocks
the writer: messages marked ``droppable`` are dropped while more than 64 KiB wait to be read; the others are kept.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Self, TypeVar

from riverrun.messages import Message, decode, encode
from riverrun.tasks import end

log = logging.getLogger(__name__)

PIPE_FD = "RIVERRUN_PIPE_FD"
LINE_LIMIT = 8 * 1024 * 1024
CONGESTED = 64 * 1024

M = TypeVar("M", bound=Message)


class Pipe:
    """One end of the pipe. Register callbacks with ``on``, then ``open`` it.

    Callbacks run on the event loop, one message after another, and must not block.
    """

    def __init__(self, sock: socket.socket | None) -> None:
        self._sock = sock
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._callbacks: dict[type[Message], Callable[[Message], None]] = {}
        self._on_close: Callable[[], None] | None = None

    def on(self, kind: type[M], callback: Callable[[M], None]) -> None:
        """Call ``callback`` with each message of this kind; a later call replaces the earlier one."""

        def call(message: Message) -> None:
            if isinstance(message, kind):
                callback(message)

        self._callbacks[kind] = call

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once when the other side has closed its end."""
        self._on_close = callback

    @property
    def is_open(self) -> bool:
        """Whether there is another side that can hear us."""
        return self._writer is not None and not self._writer.is_closing()

    @property
    def is_congested(self) -> bool:
        """Whether the other side does not read as fast as we write."""
        return self._writer is not None and self._writer.transport.get_write_buffer_size() > CONGESTED

    async def open(self) -> None:
        """Start to read and write; does nothing for a process that has no other side."""
        if self._sock is None:
            return
        reader, self._writer = await asyncio.open_unix_connection(sock=self._sock, limit=LINE_LIMIT)
        self._reading = asyncio.create_task(self._read(reader), name="pipe reader")

    def send(self, message: Message) -> bool:
        """Hand ``message`` over without waiting; return False if it was dropped or nobody listens."""
        if not self.is_open or self._writer is None or (message.droppable and self.is_congested):
            return False
        line = encode(message)
        if len(line) > LINE_LIMIT:
            log.error("pipe_message_too_long", extra={"type": message.name, "bytes": len(line)})
            return False
        self._writer.write(line)
        return True

    async def finish(self, limit: float) -> None:
        """Wait up to ``limit`` seconds until the other side has closed its end and all it sent was delivered."""
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=limit)

    async def close(self) -> None:
        """Close our end; what was sent before is still delivered while the other side reads, for up to a second."""
        if self._reading is not None:
            await end([self._reading])
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._writer.wait_closed()
        elif self._sock is not None:
            self._sock.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                log.warning("pipe_message_ignored", extra={"longer_than": LINE_LIMIT})
                continue
            except OSError:
                line = b""
            if not line:
                break
            self._deliver(line)
        if self._writer is not None:
            self._writer.close()
        if self._on_close is not None:
            self._on_close()

    def _deliver(self, line: bytes) -> None:
        message = decode(line)
        if message is not None and (callback := self._callbacks.get(type(message))) is not None:
            callback(message)


class ParentPipe(Pipe):
    """The supervisor's end; ``child_end`` is handed to the child by its number and closed here once it has started."""

    def __init__(self) -> None:
        parent_end, self.child_end = socket.socketpair()
        super().__init__(parent_end)

    def environment(self) -> dict[str, str]:
        """Return what the child's environment must carry to find its end."""
        return {PIPE_FD: str(self.child_end.fileno())}


class ChildPipe(Pipe):
    """The child's end; silent when the process was started without a supervisor."""

    @classmethod
    def from_environment(cls) -> Self:
        """Take the end that the supervisor left, and keep it from our own children."""
        number = os.environ.pop(PIPE_FD, None)
        if number is None:
            return cls(None)
        sock = socket.socket(fileno=int(number))
        sock.set_inheritable(False)
        return cls(sock)

    def parent_pid(self) -> int | None:
        """Return the process that made the pipe, where the kernel tells (Linux)."""
        if self._sock is None or sys.platform != "linux":
            return None
        credentials = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, _, _ = struct.unpack("3i", credentials)
        return int(pid)
