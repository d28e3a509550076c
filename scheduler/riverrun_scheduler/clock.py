"""Notices that the database's clock was set: all leases seem to have run out then, and that proves nothing.

The clock of this process that nobody can set, the monotonic one, runs beside it. A server that was paused together with
its machine looks the same, and is judged the same: those who could not renew meanwhile shall have the time to do so.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

log = logging.getLogger(__name__)

SET_SECONDS = 5.0
"""A smaller difference makes no lease run out, and may be the time that an answer took."""

SET = {
    "meaning": "the clock of the database server was set, or the server was paused; nothing is rescued for a while",
    "do": "let the server's clock be corrected in small steps (chrony, ntpd)",
}


class DatabaseClock:
    """What a scheduler knows of the database's clock."""

    def __init__(self) -> None:
        self._ahead: float | None = None
        self._set_at: float | None = None

    @property
    def steady_for(self) -> timedelta:
        """For how long it has not been set, as far as was seen."""
        return timedelta.max if self._set_at is None else timedelta(seconds=time.monotonic() - self._set_at)

    def read(self, now: datetime) -> bool:
        """Take what it shows right now; return whether it was set since the last time."""
        ahead = now.timestamp() - time.monotonic()
        difference = 0.0 if self._ahead is None else ahead - self._ahead
        self._ahead = ahead
        if abs(difference) < SET_SECONDS:
            return False
        self._set_at = time.monotonic()
        log.warning("database_clock_set", extra={"seconds": round(difference, 1), **SET})
        return True
