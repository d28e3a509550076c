"""Counts how often a process has ended that nobody asked to, and says how long to wait before its next start.

One that ends again and again is started ever later. One that somebody kills or tells to leave is not: that says nothing
about it.
"""

from __future__ import annotations

import time
from collections import deque
from datetime import timedelta

from riverrun.process import EXIT_DATABASE
from riverrun.reconnect_wait import ReconnectWait
from riverrun_supervisor.exits import Exit

HEALTHY_SECONDS = 60.0
CRASH_LOOP_EXITS = 5
CRASH_LOOP_SECONDS = 60.0
FIRST_WAIT, LONGEST_BY_HAND = timedelta(seconds=0.2), timedelta(seconds=1)


class Restarts:
    """The ends of one process of the plan.

    Args:
        longest: The longest wait before a start.
    """

    def __init__(self, longest: timedelta) -> None:
        self.count = 0
        self._backoff = ReconnectWait(FIRST_WAIT, longest)
        self._by_hand = ReconnectWait(FIRST_WAIT, min(longest, LONGEST_BY_HAND))
        self._ends: deque[float] = deque(maxlen=CRASH_LOOP_EXITS)

    @property
    def is_crash_loop(self) -> bool:
        """Whether the process has ended so often lately that somebody must look."""
        return len(self._ends) == CRASH_LOOP_EXITS and time.monotonic() - self._ends[0] < CRASH_LOOP_SECONDS

    def after(self, exited: Exit, *, lived: float) -> float:
        """Note that the process has ended after ``lived`` seconds; return how many to wait before the next start."""
        self.count += 1
        if lived >= HEALTHY_SECONDS:
            self._backoff.reset()
            self._by_hand.reset()
        if not exited.is_by_hand and exited.code != EXIT_DATABASE:
            self._ends.append(time.monotonic())
        asked = exited.is_by_hand or (exited.is_clean and not self.is_crash_loop)
        return (self._by_hand if asked else self._backoff).next()
