"""How a handler says that its attempt ended neither well nor badly: raise or return one of these."""

from __future__ import annotations

import math
from datetime import timedelta

from riverrun.durations import LONGEST
from riverrun.errors import InvalidInput


class Signal(Exception):
    """Base of what a handler may raise or return to decide about its job."""


class Snooze(Signal):
    """Run the job again later; this attempt does not count."""

    def __init__(self, delay: timedelta | float) -> None:
        super().__init__(f"snoozed for {delay}")
        self.delay = _span(delay)


class Cancel(Signal):
    """Never run the job again."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = str(reason)


class Retry(Signal):
    """Count the attempt as failed and run the job again, after ``delay`` instead of what its policy says."""

    def __init__(self, delay: timedelta | float | None = None, reason: str = "the handler asked for a retry") -> None:
        super().__init__(reason)
        self.delay = None if delay is None else _span(delay)
        self.reason = str(reason)


def _span(delay: timedelta | float) -> timedelta:
    """Return a delay in its own type; a negative one is none, an endless one the longest there is."""
    if isinstance(delay, timedelta):
        return min(max(delay, timedelta()), LONGEST)
    if not isinstance(delay, int | float) or not -math.inf <= delay <= math.inf:
        raise InvalidInput("delay", delay, "a number of seconds or a timedelta", code="type")
    return timedelta(seconds=min(max(delay, 0.0), LONGEST.total_seconds()))
