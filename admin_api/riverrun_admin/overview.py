"""Statistics of the last second, so that a hundred open dashboards cost the database what one costs."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from riverrun.access import within
from riverrun.store.statistics import Statistics, of_queues, statistics
from riverrun_admin.database import Database

FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Statistics and when they were taken, by this host's clock; ``taken`` counts on the monotonic one."""

    statistics: Statistics
    as_of: datetime
    taken: float

    @property
    def age_seconds(self) -> float:
        """How old the statistics are."""
        return max(0.0, time.monotonic() - self.taken)


class Overview:
    """Asks for statistics when somebody wants them and the last ones are older than a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking = asyncio.Lock()
        self._last: Snapshot | None = None
        self._parts: dict[tuple[str, ...], Snapshot] = {}

    async def snapshot(self, queues: tuple[str, ...] = ()) -> Snapshot:
        """Return statistics that are at most a second old, of the queues that the patterns name; of all without any.

        Raises:
            DatabaseUnavailable: They cannot be had now; old ones are not passed off as new.
        """
        async with self._asking:
            whole = self._last
            if whole is None or whole.age_seconds >= FRESH_SECONDS:
                found = await self._database.run(statistics())
                whole = self._last = Snapshot(found, datetime.now(UTC), time.monotonic())
                self._parts.clear()
            if not queues:
                return whole
            part = self._parts.get(queues)
            if part is None:
                names = {queue.name for queue in whole.statistics.queues if within(queue.name, queues)}
                found = await self._database.run(of_queues(whole.statistics, names))
                part = self._parts[queues] = replace(whole, statistics=found)
            return part

    def forget(self) -> None:
        """Ask anew next time, because somebody has just changed what the statistics show."""
        self._last = None
