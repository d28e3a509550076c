"""The room of an executor: how many jobs it may hold, how many it holds, and a way to wait for more room."""

from __future__ import annotations

import asyncio
import contextlib

MAX_UNWRITTEN = 2_000
"""Endings that may wait to be written; beyond, no job is claimed until the database has caught up."""

GATHER_SECONDS = 0.005
"""How long a busy executor waits for more slots to come free, so that one claim serves many."""


class Slots:
    """Counts the jobs that run and the endings that are not written yet.

    Attributes:
        capacity: Jobs that may run at once; may change at any time.
        running: Jobs that run.
    """

    def __init__(self, capacity: int, *, most_unwritten: int = MAX_UNWRITTEN) -> None:
        self.capacity = capacity
        self._most_unwritten = most_unwritten
        self.running = 0
        self._unwritten = 0
        self._closed = False
        self._held: set[str] = set()
        self._changed = asyncio.Event()

    @property
    def free(self) -> int:
        """How many more jobs may be claimed now."""
        if self._held or self._unwritten >= self._most_unwritten:
            return 0
        return max(0, self.capacity - self.running)

    def close(self) -> None:
        """Let nobody wait for room any more: there will be none."""
        self._closed = True
        self._changed.set()

    def hold(self, reason: str) -> None:
        """Let no job be claimed until the reason is gone."""
        self._held.add(reason)

    def release(self, reason: str) -> None:
        """Note that a reason to hold is gone."""
        self._held.discard(reason)
        self._changed.set()

    def resize(self, capacity: int) -> None:
        """Allow ``capacity`` jobs at once; those that run beyond it finish."""
        self.capacity = capacity
        self._changed.set()

    def take(self) -> None:
        """Note that a job has started."""
        self.running += 1

    def give_back(self) -> None:
        """Note that a job's handler has returned."""
        self.running -= 1
        self._changed.set()

    def unwritten_are(self, count: int) -> None:
        """Note that ``count`` endings wait to be written."""
        fewer = count < self._unwritten
        self._unwritten = count
        if fewer:
            self._changed.set()

    async def wait_free(self) -> int:
        """Wait until jobs may be claimed and return how many; 0 once the slots are closed.

        When a claim would find room for few jobs only, wait a moment for their neighbours: under load handlers return
        together, and a claim costs the database the same for one job as for many.
        """
        while self.free == 0 and not self._closed:
            await self._wait_change()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHER_SECONDS):
                while self.free < self.capacity // 4 and not self._closed:
                    await self._wait_change()
        return 0 if self._closed else self.free

    async def _wait_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
