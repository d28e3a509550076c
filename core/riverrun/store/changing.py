"""Change jobs that wait: when they run, where, how soon, with what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import errors as pg

from riverrun.database.statements import Query, Steps
from riverrun.errors import JobFinalized, JobRunning, NotFound, RiverrunError, UniqueConflict
from riverrun.job import JobState
from riverrun.moments import check_moment
from riverrun.store import jobs

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

    def __post_init__(self) -> None:
        """Refuse a time that could not be read back."""
        if self.scheduled_at is not None:
            check_moment(self.scheduled_at, "scheduled_at")


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


def change_one(job_id: int, wanted: JobChange) -> Steps[JobState]:
    """Change one job that waits and return the state that it has then.

    Raises:
        NotFound, JobRunning, JobFinalized, UniqueConflict: It was not changed.
    """
    found = (yield from change([job_id], wanted)).get(job_id)
    if found is None or not found.done:
        raise refusal(job_id, found.state if found else None)
    return found.state


def run_now(job_ids: Sequence[int]) -> Steps[dict[int, JobState | RiverrunError]]:
    """Make jobs available that wait for their time; return what became of each, or why nothing did.

    No further attempt is allowed them; one that is available already stays so.
    """
    before = yield from jobs.states_of(job_ids)
    made = yield from make_available(job_ids, WAITING)
    outcomes: dict[int, JobState | RiverrunError] = {}
    for job_id in job_ids:
        state = before.get(job_id)
        if job_id in made or state is JobState.AVAILABLE:
            outcomes[job_id] = JobState.AVAILABLE
        elif state in WAITING:
            outcomes[job_id] = UniqueConflict(job_id)
        else:
            outcomes[job_id] = refusal(job_id, state)
    return outcomes


def refusal(job_id: int, state: JobState | None) -> RiverrunError:
    """Return why a job in ``state`` was not changed, which only one that waits is; None: it does not exist."""
    if state is None:
        return NotFound("job", job_id)
    return JobRunning(job_id) if state is JobState.RUNNING else JobFinalized(job_id, state)


def make_available(job_ids: Sequence[int], states: Sequence[JobState]) -> Steps[set[int]]:
    """Make those of the jobs available that are in one of ``states`` and whose unique key is free; return their ids."""
    rows = yield Query("job_retry_many", {"ids": list(job_ids), "states": [str(state) for state in states]})
    return {row[0] for row in rows}
