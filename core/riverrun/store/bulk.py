"""Enqueue any number of jobs: in statements of bounded size, or by COPY where no job needs a look at another.

Whoever runs more than one of these steps does so in one transaction; PostgreSQL then delivers one notification for
each queue, when it commits, however often the steps ask for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from riverrun.database.statements import Copy, Query, Row, Steps
from riverrun.job import Job, JobState
from riverrun.new_job import NewJob
from riverrun.store import jobs as store
from riverrun.store.jobs import EnqueueResult
from riverrun.store.rows import job_from

CHUNK_JOBS = 1_000
"""The most jobs that one statement or one COPY carries."""

_CHUNK_CHARACTERS = 8 * 1024 * 1024


def enqueue(jobs: Sequence[NewJob]) -> Steps[list[EnqueueResult]]:
    """Insert jobs and return one result for each, in order.

    More than ``CHUNK_JOBS`` of them go by COPY where they have no unique keys; their results are made from what was
    sent, so ``args_text`` is written as the producer wrote it.
    """
    results: list[EnqueueResult] = []
    for chunk in chunks(jobs):
        by_copy = len(jobs) > CHUNK_JOBS and not _any_unique(chunk)
        results += yield from (_copy(chunk) if by_copy else store.enqueue(chunk))
    return results


def copy_in(chunk: Sequence[NewJob]) -> Steps[list[NewJob]]:
    """Insert one chunk of a long stream and return those of its jobs that are new."""
    if _any_unique(chunk):
        results = yield from store.enqueue(chunk)
        return [job for job, result in zip(chunk, results, strict=True) if not result.duplicate]
    yield from _copy_rows(chunk)
    return list(chunk)


def wait_for_source() -> Steps[None]:
    """Let this transaction wait for a slow source of jobs: up to ten minutes between two chunks."""
    yield Query("transaction_wait", {"limit": "10min"})


class ChunkCutter:
    """Cuts a stream of jobs into chunks that are bounded in jobs and in size, whoever reads the stream and how."""

    def __init__(self) -> None:
        self._jobs: list[NewJob] = []
        self._characters = 0

    def add(self, job: NewJob) -> list[NewJob]:
        """Take a job and return a chunk when one is full, else an empty list."""
        self._jobs.append(job)
        self._characters += len(job.args_text) + len(job.metadata_text)
        full = len(self._jobs) == CHUNK_JOBS or self._characters >= _CHUNK_CHARACTERS
        return self.rest() if full else []

    def rest(self) -> list[NewJob]:
        """Return what is left and begin anew."""
        rest, self._jobs, self._characters = self._jobs, [], 0
        return rest


def chunks(jobs: Iterable[NewJob]) -> Iterator[list[NewJob]]:
    """Cut a stream of jobs into chunks."""
    cutter = ChunkCutter()
    for job in jobs:
        if chunk := cutter.add(job):
            yield chunk
    if chunk := cutter.rest():
        yield chunk


def _copy(chunk: Sequence[NewJob]) -> Steps[list[EnqueueResult]]:
    rows = yield from _copy_rows(chunk)
    return [EnqueueResult(_job(row), duplicate=False) for row in rows]


def _copy_rows(chunk: Sequence[NewJob]) -> Steps[list[Row]]:
    """Copy a chunk in, wake its queues, and return the rows that were sent."""
    reserved = yield Query("job_reserve", {"count": len(chunk)})
    rows = [_row(job, job_id, now.astimezone(UTC)) for job, (job_id, now) in zip(chunk, reserved, strict=True)]
    yield Copy("job_copy", rows)
    queues = sorted({job.queue for row, job in zip(rows, chunk, strict=True) if row[1] == JobState.AVAILABLE})
    if queues:
        yield Query("queue_wake", {"queues": queues})
    return rows


def _row(job: NewJob, job_id: int, now: datetime) -> Row:
    """Return a row in the order of ``job_copy.sql``, by the rules of ``job_enqueue.sql``."""
    state = JobState.AVAILABLE
    if job.pending:
        state = JobState.PENDING
    elif job.scheduled_at is not None or job.delay is not None:
        state = JobState.SCHEDULED
    due = job.scheduled_at or (now + job.delay if job.delay is not None else now)
    return (
        job_id,
        state.value,
        now,
        due,
        job.kind,
        job.args_text,
        job.metadata_text,
        job.queue,
        job.priority,
        job.max_attempts,
        list(job.tags),
    )


def _job(row: Row) -> Job:
    """Return the job that a row of ``job_copy.sql`` becomes."""
    job_id, state, now, due, kind, args, metadata, queue, priority, max_attempts, tags = row
    beginning = (job_id, state, 0, max_attempts, None, now, None, due, priority, args)
    return job_from((*beginning, None, None, kind, metadata, queue, tags, None, None))


def _any_unique(chunk: Sequence[NewJob]) -> bool:
    return any(job.unique_key is not None for job in chunk)
