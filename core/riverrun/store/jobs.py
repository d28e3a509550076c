"""What producers and operators ask of the database: enqueue, look up, cancel, retry, delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from psycopg import errors as pg

from riverrun.database.statements import Query, Steps
from riverrun.errors import JobRunning, NotFound, UniqueConflict
from riverrun.job import Job, JobState
from riverrun.new_job import NewJob
from riverrun.store.rows import JOB_COLUMNS, job_from


@dataclass(frozen=True, slots=True)
class EnqueueResult:
    """What became of one enqueued job.

    Attributes:
        job: The job as it is in the database now.
        duplicate: True when a job with the same unique key was there before; nothing was enqueued then.
    """

    job: Job
    duplicate: bool


@dataclass(frozen=True, slots=True)
class CancelResult:
    """What became of a request to cancel a job.

    Attributes:
        job_id: The job.
        state: Its state afterwards; ``running`` means that its executor was asked to stop it.
        state_before: Its state before; a finalized one was left as it is.
    """

    job_id: int
    state: JobState
    state_before: JobState


def enqueue(jobs: Sequence[NewJob]) -> Steps[list[EnqueueResult]]:
    """Insert jobs in one statement and return one result for each, in order.

    Of jobs with equal unique keys in one call the first is enqueued; the others are its duplicates.
    """
    if not jobs:
        return []
    if len(jobs) == 1 and jobs[0].unique_key is None:
        (row,) = yield Query("job_enqueue_one", _values(jobs[0]))
        return [EnqueueResult(job_from(row), duplicate=False)]
    positions, firsts = _first_of_each_key(jobs)
    rows = yield Query("job_enqueue", _columns(firsts))
    results = [EnqueueResult(job_from(row), row[JOB_COLUMNS]) for row in rows]
    seen: set[int] = set()
    answers = []
    for position in positions:
        result = results[position]
        answers.append(EnqueueResult(result.job, result.duplicate or position in seen))
        seen.add(position)
    return answers


def get(job_id: int) -> Steps[Job]:
    """Return one job, whole.

    Raises:
        NotFound: There is no such job.
    """
    rows = yield Query("job_get", {"id": job_id})
    if not rows:
        raise NotFound("job", job_id)
    return job_from(rows[0])


def update(job_id: int, patch: str) -> Steps[Job]:
    """Merge ``patch`` (JSON text) into the metadata of a job and return it.

    Raises:
        NotFound: There is no such job.
    """
    rows = yield Query("job_update", {"id": job_id, "patch": patch})
    if not rows:
        raise NotFound("job", job_id)
    return job_from(rows[0])


def cancel(job_ids: Sequence[int]) -> Steps[dict[int, CancelResult]]:
    """Cancel jobs that wait, ask the executors of those that run; return what became of each that exists, by id."""
    rows = yield Query("job_cancel", {"ids": list(job_ids)})
    return {row[0]: CancelResult(row[0], JobState(row[1]), JobState(row[2])) for row in rows}


def retry(job_id: int) -> Steps[Job]:
    """Make a job available again by hand, with one more attempt when all were used, and return it.

    Raises:
        NotFound: There is no such job.
        JobRunning: It is being executed.
        UniqueConflict: Another unfinished job has its unique key.
    """
    try:
        rows = yield Query("job_retry", {"id": job_id})
    except pg.UniqueViolation as error:
        raise UniqueConflict(job_id) from error
    if not rows:
        raise NotFound("job", job_id)
    if rows[0][1] == JobState.RUNNING:
        raise JobRunning(job_id)
    return (yield from get(job_id))


def delete(job_ids: Sequence[int]) -> Steps[dict[int, JobState]]:
    """Delete jobs; return the state of each that exists, by id. Those that were running are still there."""
    rows = yield Query("job_delete", {"ids": list(job_ids)})
    return {row[0]: JobState(row[1]) for row in rows}


def queues_of(job_ids: Sequence[int]) -> Steps[dict[int, str]]:
    """Return the queue of each of the jobs that exists, by id."""
    rows = yield Query("job_queues", {"ids": list(job_ids)})
    return {row[0]: row[1] for row in rows}


def states_of(job_ids: Sequence[int]) -> Steps[dict[int, JobState]]:
    """Return the state of each of the jobs that exist, by id."""
    rows = yield Query("job_queues", {"ids": list(job_ids)})
    return {row[0]: JobState(row[2]) for row in rows}


def _first_of_each_key(jobs: Sequence[NewJob]) -> tuple[list[int], list[NewJob]]:
    """Return, for each job, the position of the one that stands for it, and those that stand for any."""
    positions: list[int] = []
    firsts: list[NewJob] = []
    by_key: dict[bytes, int] = {}
    for job in jobs:
        position = len(firsts) if job.unique_key is None else by_key.setdefault(job.unique_key, len(firsts))
        positions.append(position)
        if position == len(firsts):
            firsts.append(job)
    return positions, firsts


def _values(job: NewJob) -> dict[str, object]:
    """Return what ``job_enqueue_one.sql`` takes."""
    return {
        "kind": job.kind,
        "args": job.args_text,
        "metadata": job.metadata_text,
        "queue": job.queue,
        "priority": job.priority,
        "max_attempts": job.max_attempts,
        "scheduled_at": job.scheduled_at,
        "delay": None if job.delay is None else job.delay.total_seconds(),
        "pending": job.pending,
        "tags": orjson.dumps(job.tags).decode(),
    }


def _columns(jobs: Sequence[NewJob]) -> dict[str, object]:
    """Return the parallel arrays that ``job_enqueue.sql`` takes."""
    return {
        "kinds": [job.kind for job in jobs],
        "args": [job.args_text for job in jobs],
        "metadata": [job.metadata_text for job in jobs],
        "queues": [job.queue for job in jobs],
        "priorities": [job.priority for job in jobs],
        "max_attempts": [job.max_attempts for job in jobs],
        "scheduled_at": [job.scheduled_at for job in jobs],
        "delays": [None if job.delay is None else job.delay.total_seconds() for job in jobs],
        "pending": [job.pending for job in jobs],
        "tags": [orjson.dumps(job.tags).decode() for job in jobs],
        "unique_keys": [job.unique_key for job in jobs],
        "unique_states": [job.unique_states for job in jobs],
    }
