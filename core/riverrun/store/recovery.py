"""What executors settle among themselves after a crash of the server, before any of them claims a job.

A claim does not wait for the disk (decision 0012), so a crash, or a standby that is promoted, may undo those of the
last moment: their jobs are available again while their handlers run. Each executor first of all looks for its own
ones on every new connection, claims them again, and says so in a table that a crash empties. Whoever wants to claim
waits until everybody who lives has done so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from riverrun.claimed_job import ClaimedJob
from riverrun.database.statements import Query, Steps
from riverrun.store import attempts

PATIENCE = timedelta(seconds=2)
"""So long after the first executor has answered the others are waited for; one that does not answer may be dead."""


def recover(held: Sequence[ClaimedJob], *, queue: str, incarnation: str) -> Steps[list[ClaimedJob]]:
    """Claim again what a crash of the server has undone, and return those of ``held`` that others have got.

    Args:
        held: Jobs that run, or have ended, which is not written yet.
        queue: The queue they are of.
        incarnation: The executor that has them.
    """
    taken = (yield from attempts.taken(held, incarnation)) if held else []
    if taken:
        yield from attempts.reclaim(taken, incarnation)
        taken = yield from attempts.taken(taken, incarnation)
    yield Query("recovery_answer", {"queue": queue, "incarnation": incarnation})
    return taken


def over(queue: str) -> Steps[bool]:
    """Return whether jobs of ``queue`` may be claimed: everybody who lives has recovered, or was waited for."""
    (row,) = yield Query("recovery_over", {"queue": queue, "patience": PATIENCE.total_seconds()})
    return bool(row[0])
