"""Notices attempts whose time is over, with one timer for all that have the same limit.

Of attempts with the same limit the one that began first is over first. A timer for each would cost more than the
shortest handlers do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Attempt = TypeVar("Attempt", bound=Hashable)


class Deadlines(Generic[Attempt]):
    """Attempts that may run for so long and no longer.

    Args:
        over: Called on the event loop with each attempt whose time is over.
    """

    def __init__(self, over: Callable[[Attempt], None]) -> None:
        self._over = over
        self._loop = asyncio.get_running_loop()
        # For each limit in seconds, when its attempts are over, in their order; a line that has any has a timer.
        self._lines: dict[float, dict[Attempt, float]] = {}

    def watch(self, attempt: Attempt, limit: float) -> None:
        """Let ``attempt`` be over in ``limit`` seconds."""
        line = self._lines.get(limit)
        if line is None:
            line = self._lines[limit] = {}
            self._loop.call_later(limit, self._look, limit)
        line[attempt] = self._loop.time() + limit

    def forget(self, attempt: Attempt, limit: float) -> None:
        """Note that ``attempt``, which was to be over in ``limit`` seconds, has ended before."""
        if (line := self._lines.get(limit)) is not None:
            line.pop(attempt, None)

    def _look(self, limit: float) -> None:
        line, now = self._lines[limit], self._loop.time()
        while (first := next(iter(line), None)) is not None and line[first] <= now:
            del line[first]
            self._over(first)
        if first is None:
            del self._lines[limit]
        else:
            self._loop.call_at(line[first], self._look, limit)
