"""Sees a process out: it is told to drain, later to hurry, and at last it is killed."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import signal
from collections.abc import Callable
from typing import Self

from riverrun.messages import Drain, Hurry, Message
from riverrun.settings.river import RiverSettings

log = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
"""How long an executor may take to write the outcomes of its last jobs."""


@dataclasses.dataclass(frozen=True)
class Grace:
    """How long a process may take to leave, in seconds, before it is told to hurry, and before it is killed."""

    drain: float
    hurry: float

    @classmethod
    def of(cls, river: RiverSettings) -> Self:
        """Return what the configuration grants."""
        cancel = river.shutdown_cancel.total_seconds()
        return cls(drain=river.shutdown_wait.total_seconds() + cancel + FLUSH_SECONDS, hurry=cancel + FLUSH_SECONDS)


class Farewell:
    """The way out of one process.

    Args:
        name: What the child is called.
        process: The process.
        tell: Sends it a message; returns False if it cannot hear.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, *, tell: Callable[[Message], bool]) -> None:
        self._name = name
        self._process = process
        self._tell = tell
        self._task: asyncio.Task[None] | None = None

    def begin(self, grace: Grace, *, hurry: bool) -> None:
        """Begin to see it out; one who is to hurry skips the time for draining, also when that has begun."""
        if self._task is not None:
            if not hurry:
                return
            self._task.cancel()
        self._task = asyncio.create_task(self._see_out(grace, hurry=hurry), name=f"see out {self._name}")

    async def end(self) -> None:
        """Stop: the process is gone."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _see_out(self, grace: Grace, *, hurry: bool) -> None:
        if not hurry:
            self._order(Drain())
            await asyncio.sleep(grace.drain)
            log.warning("child_did_not_drain", extra={"child": self._name, "seconds": grace.drain})
        self._order(Hurry())
        await asyncio.sleep(grace.hurry)
        log.error("child_killed", extra={"child": self._name, "pid": self._process.pid})
        self._process.kill()

    def _order(self, message: Message) -> None:
        """Send a message; unlike a signal, saying it twice changes nothing."""
        if self._process.returncode is None and not self._tell(message):
            self._process.send_signal(signal.SIGTERM)
