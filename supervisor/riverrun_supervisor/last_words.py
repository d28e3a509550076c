"""Passes on what a process writes, and keeps the end of it and its memory for whoever asks what it died of."""

from __future__ import annotations

import asyncio
import sys

from riverrun_supervisor.kernel import peak_bytes

KEPT_BYTES = 8 * 1024
LOOK_SECONDS = 0.1


class LastWords:
    """What is left of one process: ``text`` is the end of its output, ``peak_bytes`` the memory it was seen to use."""

    def __init__(self) -> None:
        self.peak_bytes: int | None = None
        self._kept = b""
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def text(self) -> str:
        """The end of what the process has written."""
        return self._kept.decode(errors="replace")

    def listen(self, process: asyncio.subprocess.Process) -> None:
        """Follow a process if its output comes to us."""
        if process.stdout is not None:
            self._tasks = [
                asyncio.create_task(self._read(process.stdout), name="last words"),
                asyncio.create_task(self._look(process.pid), name="memory"),
            ]

    async def finish(self, seconds: float) -> None:
        """Read what is left, for a while: a process of its own that it has started may keep its output open."""
        if self._tasks:
            self._tasks[1].cancel()
            await asyncio.wait(self._tasks, timeout=seconds)
            for task in self._tasks:
                task.cancel()

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(64 * 1024):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            self._kept = (self._kept + data)[-KEPT_BYTES:]

    async def _look(self, pid: int) -> None:
        while True:
            self.peak_bytes = peak_bytes(pid) or self.peak_bytes
            await asyncio.sleep(LOOK_SECONDS)
