"""Takes jobs back that nobody runs any more: seconds after their executor died, and not before.

Whether a job is lost is decided for its executor, not by the age of the attempt:

- an executor of ours holds a lease that its supervisor renews; when the lease has run out, its jobs are lost;
- a supervisor that is killed takes its executors along. Its session ends with it, and with the session a lock: when
  the lock is free and no heartbeat has come for three seconds, the leases of that host are ended at once;
- one that has running jobs but no lease is gone as well, once that has been so for 15 seconds;
- executors of River's clients in other languages have no lease: their jobs are lost when the attempt is older than
  ``river.rescue_stuck_jobs_after``. Jobs of kinds that nobody here knows are retried like all others, never discarded
  for that.

After a start of PostgreSQL, after its clock was set, and until the leader's own session has lasted as long as a lease,
nothing is rescued: what ended the sessions may have kept supervisors from renewing, and that proves nothing. A follower
whose session has lasted rescues as soon as it leads.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from riverrun.store import rescue
from riverrun.store.leader import Pulse
from riverrun.store.rescue import LostJob
from riverrun.telemetry.rescues import tell
from riverrun_scheduler.batch import Batch
from riverrun_scheduler.river_leader import RiverLeadership
from riverrun_scheduler.term import Term

log = logging.getLogger(__name__)

GRACE = timedelta(seconds=10)
MISSING_SECONDS = 15.0
SCAN_SECONDS = 10.0
GONE_SECONDS = 6.0
"""For so long the lock of a host is missed; after that its lease decides."""
MOST_JOBS = 500

MESSAGES = {
    "expired": "the executor was lost: its lease ran out",
    "missing": "the executor was lost: it has no lease",
    "stuck": "Stuck job rescued by JobRescuer",
}


class Rescuer:
    """Rescues jobs during one term."""

    def __init__(self, term: Term, river: RiverLeadership) -> None:
        self._term = term
        self._river = river
        self._batch = Batch(MOST_JOBS)
        self._missing: dict[str, float] = {}
        self._scan_at = 0.0
        self._after = 0
        self._finished: Pulse | None = None

    async def step(self, pulse: Pulse) -> bool:
        """Rescue one page of lost jobs, when a lease ran out or it is time to look at all."""
        now = time.monotonic()
        scan = now >= self._scan_at
        if pulse.settled < GRACE or pulse is self._finished:
            return False
        expired = pulse.leases_expired or await self._expire_gone(pulse, now)
        if not (expired or scan or self._after):
            return False
        if scan:
            await self._look_for_missing(now)
        if await self._rescue_page(now):
            return True
        if expired:
            for incarnation in await self._term.run(rescue.forget_expired(self._term.generation)):
                log.warning("executor_forgotten", extra={"executor": incarnation})
        self._finished = pulse
        return False

    async def _expire_gone(self, pulse: Pulse, now: float) -> bool:
        """End the leases of hosts that have died; return whether there were any."""
        recent = (host for host, seen in self._term.hosts.items() if now - seen < GONE_SECONDS)
        gone = [host for host in recent if host not in pulse.hosts]
        if not gone:
            return False
        ended = await self._term.run(rescue.expire(gone, generation=self._term.generation))
        for incarnation in ended:
            log.warning("executor_lost", extra={"executor": incarnation, "reason": "its supervisor has died"})
        return bool(ended)

    async def _look_for_missing(self, now: float) -> None:
        self._scan_at = now + SCAN_SECONDS  # also if it fails: jobs whose lease ran out are not to wait for it
        seen = await self._term.run(rescue.missing_executors())
        self._missing = {name: self._missing.get(name, now) for name in seen}

    async def _rescue_page(self, now: float) -> bool:
        """Rescue up to a batch of lost jobs, from where the last page ended; return whether there may be more."""
        size = self._batch.size
        with self._batch.attempt():
            jobs = await self._term.run(
                rescue.lost(
                    missing=[name for name, since in self._missing.items() if now - since > MISSING_SECONDS],
                    stuck_after=self._term.settings.river.rescue_stuck_jobs_after if self._river.ours else None,
                    after=self._after,
                    batch=size,
                )
            )
            if jobs:
                await self._rescue(jobs)
        self._after = jobs[-1].id if len(jobs) == size else 0
        return self._after > 0

    async def _rescue(self, jobs: list[LostJob]) -> None:
        lost = {job.id: job for job in jobs}
        for job in await self._term.run(rescue.rescue(jobs, MESSAGES, generation=self._term.generation)):
            tell(job, executor=lost[job.id].incarnation, reason=MESSAGES[lost[job.id].reason])
