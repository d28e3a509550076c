"""Keeps the steps of charts that are over: a chart of a month asks for the present day and not for all the others.

What a step sums up grows with the kinds of a fleet; a hundred of them have 72,000 rows in a month.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from riverrun.store import figures
from riverrun.store.figures import Period, Point
from riverrun_admin.database import Database

SETTLED = timedelta(minutes=5)
"""After this time no executor writes any more into a step that is over."""

STEPS_AT_ONCE = 12
MOST_KEPT = 100

_Key: TypeAlias = "tuple[str, tuple[str, ...] | None]"


class Histories:
    """The points of charts, by period and queues."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[_Key, dict[datetime, Point]] = {}

    async def points(self, period: Period, queues: Sequence[str] | None) -> list[Point]:
        """Return a point for each step of ``period`` up to now; see `figures.series`.

        Raises:
            DatabaseUnavailable: The database does not answer; the steps that it has answered for are kept.
        """
        now = datetime.now(UTC)
        key = (period.name, None if queues is None else tuple(queues))
        starts = figures.step_starts(period, now)
        # Steps are kept from the first one on, so that those that are missing are the last ones.
        points = [point for start in starts if (point := self._kept.get(key, {}).get(start)) is not None]
        while len(points) < len(starts):
            steps = slice(len(points), len(points) + STEPS_AT_ONCE)
            points += await self._database.run(figures.series(period, now, steps=steps, queues=queues))
            self._keep(key, [point for point in points if point.at + period.step <= now - SETTLED])
        return points

    def _keep(self, key: _Key, points: Sequence[Point]) -> None:
        if len(self._kept) >= MOST_KEPT and key not in self._kept:
            self._kept.clear()
        self._kept[key] = {point.at: point for point in points}
