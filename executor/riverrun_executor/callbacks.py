"""Attempts whose service works on after it has answered, and will say later how the job ended.

The attempt keeps its slot and its lease: for everybody else it is a running job like any other, and if this process
dies it is rescued like any other. What the service says goes to the admin process, which checks its token and writes
it into the job's row under the fence of the attempt; control looks at the rows of waiting attempts as often as it
looks for cancellations.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from riverrun.claimed_job import ClaimedJob
from riverrun.store.callbacks import Seen

GRACE_SECONDS = 2.5
"""A sign of life is seen up to two seconds late; the same is granted to the service."""


class Waiting:
    """One attempt that waits; ``until`` is moved on by every sign of life."""

    def __init__(self, job: ClaimedJob, lease: float) -> None:
        self.job = job
        self.lease = lease
        self.until = time.monotonic() + lease
        self.beats = 0


class Callbacks:
    """The waiting attempts of an executor, by job."""

    def __init__(self) -> None:
        self._waiting: dict[int, Waiting] = {}

    async def silence(self, job: ClaimedJob, lease: float) -> None:
        """Wait until the service was not heard of for ``lease`` seconds; cancelled when the attempt ends before."""
        waiting = self._waiting[job.id] = Waiting(job, lease)
        try:
            left = lease + GRACE_SECONDS
            while left > 0:
                await asyncio.sleep(left)
                left = waiting.until + GRACE_SECONDS - time.monotonic()
        finally:
            if self._waiting.get(job.id) is waiting:
                del self._waiting[job.id]

    @property
    def jobs(self) -> Sequence[ClaimedJob]:
        """The jobs whose attempts wait."""
        return [waiting.job for waiting in self._waiting.values()]

    def seen(self, rows: Mapping[int, Seen]) -> list[tuple[ClaimedJob, Seen]]:
        """Note what the rows of waiting attempts say; return those that have ended."""
        ended = []
        for job_id, seen in rows.items():
            waiting = self._waiting.get(job_id)
            if waiting is None:
                continue
            if seen.ended:
                ended.append((waiting.job, seen))
            elif seen.beats != waiting.beats:
                waiting.beats = seen.beats
                waiting.until = time.monotonic() + waiting.lease
        return ended
