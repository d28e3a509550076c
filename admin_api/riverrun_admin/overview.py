"""Statistics of the last second, so that a hundred open dashboards cost the database what one costs."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from riverrun.store.statistics import Statistics, statistics
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

    async def snapshot(self) -> Snapshot:
        """Return statistics that are at most a second old.

        Raises:
            DatabaseUnavailable: They cannot be had now; old ones are not passed off as new.
        """
        async with self._asking:
            if self._last is None or self._last.age_seconds >= FRESH_SECONDS:
                found = await self._database.run(statistics())
                self._last = Snapshot(found, datetime.now(UTC), time.monotonic())
            return self._last

    def forget(self) -> None:
        """Ask anew next time, because somebody has just changed what the statistics show."""
        self._last = None
