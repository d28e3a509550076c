"""What measurements ask of the database: fill it, watch a run, and leave nothing behind.

Everything that a measurement puts there has a kind that begins with `KIND_PREFIX`, so that it is told from real jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from riverrun.database.statements import Query, Steps
from riverrun.errors import Conflict

KIND_PREFIX = "riverrun:bench"


@dataclass(frozen=True, slots=True)
class Left:
    """How far a run is.

    Attributes:
        next_id: The best job that still waits; ``None`` when none does.
        unfinished: Whether any job behind the id that was asked for is not finalized yet.
        clock: The database's clock, in seconds since 1970.
    """

    next_id: int | None
    unfinished: bool
    clock: float


def check_free(queue: str) -> Steps[None]:
    """Make sure that nobody else uses ``queue``.

    Raises:
        Conflict: It holds jobs that are not ours, or executors work on it.
    """
    ((jobs, executors),) = yield Query("queue_strangers", {"queue": queue, "prefix": KIND_PREFIX})
    if jobs:
        raise Conflict(f"queue {queue} holds jobs that are no measurement's; expected an empty queue of that name")
    if executors:
        raise Conflict(f"executors work on queue {queue}; stop them, or wait for the measurement that runs")


def left(queue: str, *, after: int) -> Steps[Left]:
    """Return how far a run on ``queue`` is; ``unfinished`` looks at the jobs whose id is greater than ``after``."""
    ((next_id, unfinished, clock),) = yield Query("job_left", {"queue": queue, "after": after})
    return Left(next_id, unfinished, clock)


def started_at(first: int, last: int) -> Steps[float]:
    """Return when the first of the jobs ``first`` to ``last`` was claimed, in seconds since 1970."""
    ((started,),) = yield Query("job_first_attempt", {"first": first, "last": last})
    return float(started)


def finished(first: int) -> Steps[int]:
    """Return how many jobs with an id from ``first`` are finalized."""
    ((count,),) = yield Query("job_count_finished", {"first": first})
    return int(count)


def outputs(job_ids: Sequence[int]) -> Steps[dict[int, int]]:
    """Return the numbers that handlers left as the output of jobs, by id."""
    return dict((yield Query("job_outputs", {"ids": list(job_ids)})))


def seed(queue: str, *, start: int, jobs: int, total: int, seed: int) -> Steps[None]:
    """Insert the jobs number ``start`` to ``start + jobs - 1`` of ``total``: realistic ones, in every state.

    The same ``seed`` gives the same jobs, except that their times are counted back from now.
    """
    yield Query(
        "job_seed",
        {"queue": queue, "prefix": KIND_PREFIX, "start": start, "jobs": jobs, "total": total, "seed": seed},
    )


def sweep(queue: str) -> Steps[int]:
    """Remove everything that measurements put into the database; return how many jobs that were."""
    ((jobs,),) = yield Query("job_sweep", {"prefix": KIND_PREFIX})
    yield Query("minute_forget", {"queue": queue})
    yield Query("queue_forget", {"queue": queue})
    return int(jobs)
