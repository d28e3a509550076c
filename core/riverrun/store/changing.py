"""Change jobs that wait: when they run, where, how soon, with what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import errors as pg

from riverrun.database.statements import Query, Steps
from riverrun.errors import UniqueConflict
from riverrun.job import JobState

WAITING = (JobState.PENDING, JobState.RETRYABLE, JobState.SCHEDULED)
STOPPED = (JobState.CANCELLED, JobState.COMPLETED, JobState.DISCARDED, *WAITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChange:
    """What shall be different; None leaves it as it is. ``args_text`` is JSON, ``delay`` counts seconds from now."""

    queue: str | None = None
    priority: int | None = None
    max_attempts: int | None = None
    tags: tuple[str, ...] | None = None
    args_text: str | None = None
    scheduled_at: datetime | None = None
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of one job: ``done`` says whether it was changed, which only one that waits is."""

    state_before: JobState
    state: JobState
    done: bool


def change(job_ids: Sequence[int], wanted: JobChange) -> Steps[dict[int, Changed]]:
    """Change those of the jobs that wait; return what became of each that exists, by id.

    Raises:
        UniqueConflict: With its new state one would take the unique key of another; none was changed.
    """
    try:
        rows = yield Query(
            "job_change",
            {
                "ids": list(job_ids),
                "queue": wanted.queue,
                "priority": wanted.priority,
                "max_attempts": wanted.max_attempts,
                "tags": None if wanted.tags is None else list(wanted.tags),
                "args": wanted.args_text,
                "scheduled_at": wanted.scheduled_at,
                "delay": wanted.delay,
            },
        )
    except pg.UniqueViolation as error:
        raise UniqueConflict(job_ids[0]) from error
    return {row[0]: Changed(JobState(row[1]), JobState(row[2]), row[3]) for row in rows}


def make_available(job_ids: Sequence[int], states: Sequence[JobState]) -> Steps[set[int]]:
    """Make those of the jobs available that are in one of ``states`` and whose unique key is free; return their ids."""
    rows = yield Query("job_retry_many", {"ids": list(job_ids), "states": [str(state) for state in states]})
    return {row[0] for row in rows}
