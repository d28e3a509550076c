"""Decides which ticks of a schedule to enqueue now, from nothing but its expression, its policy and the time.

A tick that is at most 15 seconds old is on time, whatever the policy: so long may it take until another scheduler
leads. An older one was missed:

- ``latest``: the newest of the missed, unless it is older than an hour or a later one is on time;
- ``skip``: none of the missed;
- ``all``: the newest 100.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta

from riverrun.cron_grammar import Expression

ON_TIME = timedelta(seconds=15)
HORIZON = timedelta(hours=1)
MOST_TICKS = 100


def ticks_to_enqueue(expression: Expression, *, since: datetime, now: datetime, missed: str) -> list[datetime]:
    """Return the ticks after ``since`` and up to ``now`` that shall be enqueued, in ascending order."""
    on_time = list(_between(expression, max(since, now - ON_TIME), now))
    late = now - ON_TIME
    if since >= late or missed == "skip" or (missed == "latest" and on_time):
        return on_time
    if missed == "latest":
        return _newest(expression, since=max(since, now - HORIZON), until=late, most=1)
    return (_newest(expression, since=since, until=late, most=MOST_TICKS) + on_time)[-MOST_TICKS:]


def _newest(expression: Expression, *, since: datetime, until: datetime, most: int) -> list[datetime]:
    """Return the newest ``most`` ticks, without walking through years of them."""
    window = HORIZON
    while True:
        start = max(since, until - window)
        ticks = deque(_between(expression, start, until), maxlen=most)
        if len(ticks) == most or start == since:
            return list(ticks)
        window *= 4


def _between(expression: Expression, start: datetime, end: datetime) -> Iterator[datetime]:
    tick = expression.next_after(start)
    while tick <= end:
        yield tick
        tick = expression.next_after(tick)
