"""Where to start looking for jobs: below the floor of its priority, everything was claimed already.

While an old transaction keeps vacuum away, the index holds an entry for every job that was ever claimed, and a scan
from its beginning steps over all of them. A floor is the (scheduled_at, id) from which a priority is still worth
looking at.

A floor is a hint. Jobs do appear below it: those of a transaction that began long before it committed, those promoted
late, those whose executor died. So floors stay ``LAG`` behind the clock of the database, within which nearly every
transaction commits, and the claimer looks everywhere at least once a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from riverrun.claimed_job import ClaimedJob

LAG = timedelta(milliseconds=250)

PRIORITIES = 9
_LAG_US = LAG // timedelta(microseconds=1)


class Floors:
    """The floor of each priority, 1 to 9.

    Attributes:
        us: ``scheduled_at`` of each floor, in microseconds since 1970; 0 is none.
        ids: The id of each floor.
    """

    def __init__(self) -> None:
        self.us = [0] * PRIORITIES
        self.ids = [0] * PRIORITIES

    @property
    def known(self) -> bool:
        """Whether a claim has raised any of them."""
        return any(self.us)

    def rise(self, jobs: Sequence[ClaimedJob], *, exhausted: bool) -> None:
        """Learn from a claim.

        Args:
            jobs: What it returned.
            exhausted: It returned fewer than were asked for: no priority has more.
        """
        if not jobs:
            return
        horizon = (jobs[0].attempted_us - _LAG_US, 0)
        last: dict[int, tuple[int, int]] = {}
        for job in jobs:
            place = (job.scheduled_us, job.id)
            last[job.priority] = max(place, last.get(job.priority, place))
        lowest = PRIORITIES + 1 if exhausted else max(last)
        for priority in range(1, min(lowest, PRIORITIES) + 1):
            reached = horizon if priority < lowest else min(horizon, last[priority])
            self._raise(priority - 1, reached)

    def _raise(self, index: int, place: tuple[int, int]) -> None:
        self.us[index], self.ids[index] = max((self.us[index], self.ids[index]), place)


NOWHERE = Floors()
"""No floor at all: look everywhere."""
