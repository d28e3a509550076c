"""Makes jobs available when their time has come: those scheduled for later and those that wait for a retry."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from psycopg.errors import LockNotAvailable, QueryCanceled, UniqueViolation

from riverrun.store import promote
from riverrun.store.leader import Pulse
from riverrun.store.promote import Promotion
from riverrun_scheduler.batch import Batch
from riverrun_scheduler.river_leader import RiverLeadership
from riverrun_scheduler.term import Term

log = logging.getLogger(__name__)

MOST_JOBS = 2_000
MOST_CONTESTED = 100


class Promoter:
    """Promotes due jobs during one term."""

    def __init__(self, term: Term, river: RiverLeadership) -> None:
        self._term = term
        self._river = river
        self._batch = Batch(MOST_JOBS)
        self._finished: Pulse | None = None

    async def step(self, pulse: Pulse) -> bool:
        """Promote one batch, if the pulse says that something is due."""
        due = pulse.soonest_due is not None and pulse.soonest_due <= pulse.now
        if not due or not self._river.ours or pulse is self._finished:
            return False
        size = self._batch.size
        done = await self._promote(size)
        exhausted = done.promoted + len(done.contested) < size
        self._term.due.promoted(pulse, done, exhausted=exhausted)
        await self._promote_contested(done.contested[:MOST_CONTESTED])
        if exhausted:
            self._finished = pulse
        return not exhausted

    async def _promote(self, size: int) -> Promotion:
        try:
            with self._batch.attempt():
                steps = promote.promote(self._term.generation, batch=size, after=self._term.due.after)
                return await self._term.run(steps)
        except QueryCanceled:
            self._term.due.gave_up()
            raise

    async def _promote_contested(self, job_ids: Sequence[int]) -> None:
        """Promote jobs that take up their unique key, until one has to wait for another transaction."""
        for job_id in job_ids:
            try:
                state = await self._term.run(promote.promote_contested(self._term.generation, job_id))
            except UniqueViolation:
                continue  # the other job is there now, and the next pass sees it
            except (LockNotAvailable, QueryCanceled):
                log.info("promotion_postponed", extra={"job_id": job_id})
                return
            if state == "discarded":
                log.info("duplicate_discarded", extra={"job_id": job_id})
