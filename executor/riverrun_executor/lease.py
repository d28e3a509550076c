"""Stops an executor that cannot know any more that its jobs are its own.

Its supervisor renews its lease in the database and says until when it may rely on it, by the clock of the host that
no one can set. When that time is over, because the database cannot be reached, or because this process or its
supervisor stood still, others will run the jobs again: nothing is claimed, running handlers are told to stop, and what
has finished is written as soon as the database answers, if the job is still ours then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from riverrun.store.leases import LEASE
from riverrun_executor.slots import Slots

log = logging.getLogger(__name__)

REASON = "the lease is over"

HEAR_SECONDS = 0.25


class Lease:
    """How long this executor may rely on its lease.

    Args:
        slots: Held while the lease is over.
        lost: Called when it has ended.
    """

    def __init__(self, *, slots: Slots, lost: Callable[[], None]) -> None:
        self._slots = slots
        self._lost = lost
        # Its supervisor has just started it and is about to take the lease.
        self._until = time.monotonic() + LEASE.total_seconds()
        self._renewed = asyncio.Event()

    @property
    def holds(self) -> bool:
        """Whether the jobs that run here are ours for certain."""
        return time.monotonic() < self._until

    def renew(self, until: float) -> None:
        """Rely on the lease until this time of the monotonic clock."""
        self._until = max(self._until, until)
        self._renewed.set()

    async def run(self) -> None:
        """Watch the lease until cancelled."""
        while True:
            while self.holds:
                await asyncio.sleep(self._until - time.monotonic())
                # A handler that blocked the loop has kept us from hearing what was said meanwhile.
                await asyncio.sleep(HEAR_SECONDS)
            self._slots.hold(REASON)
            log.error("lease_lost", extra={"seconds_ago": round(time.monotonic() - self._until, 1)})
            self._lost()
            while not self.holds:
                self._renewed.clear()
                await self._renewed.wait()
            self._slots.release(REASON)
            log.warning("lease_regained")
