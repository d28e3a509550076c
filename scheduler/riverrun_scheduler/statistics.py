"""Sums up the minutes of each hour that is over, so that charts of weeks are read from few rows."""

from __future__ import annotations

import logging
import time

from riverrun.store import minutes
from riverrun.store.leader import Pulse
from riverrun_scheduler.term import Term

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0


class Statistics:
    """Makes hours during one term, the oldest first, one a step."""

    def __init__(self, term: Term) -> None:
        self._term = term
        self._due = time.monotonic() + 5

    async def step(self, pulse: Pulse) -> bool:  # noqa: ARG002 - the database's clock decides which hour is over
        """Sum up one hour, if one is over; look again in a minute when none is."""
        if time.monotonic() < self._due:
            return False
        hour = await self._term.run(minutes.compact(self._term.generation))
        if hour is None:
            self._due = time.monotonic() + EVERY_SECONDS
            return False
        log.info("hour_summed_up", extra={"hour": hour.isoformat()})
        return True
