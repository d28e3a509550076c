"""Enqueue any number of jobs: in statements of bounded size, or by COPY where no job needs a look at another.

Whoever runs more than one of these steps does so in one transaction; PostgreSQL then delivers one notification for
each queue, when it commits, however often the steps ask for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, groupby, islice
from typing import TypeAlias

from riverrun.database.statements import Copy, Query, Steps
from riverrun.job import Job, JobState, decode_json
from riverrun.new_job import NewJob
from riverrun.store import jobs as store
from riverrun.store.jobs import EnqueueResult

CHUNK_JOBS = 1_000
"""The most jobs that one statement carries."""

COPY_CHUNKS = 20
"""The most chunks that one COPY of a stream carries."""

_CHUNK_CHARACTERS = 8 * 1024 * 1024

# Within JSON these stand only between tokens, where one blank does as well as another.
_BLANKS = str.maketrans("\t\n\r", "   ")

_Place: TypeAlias = tuple[int, JobState, datetime, datetime]


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


def copy_stream(jobs: Iterable[NewJob]) -> Steps[int]:
    """Insert a stream of any length and return how many of its jobs are new.

    For a transaction of its own: the source is read in the middle of a COPY, which nothing else may interrupt.
    """
    now = yield from wait_for_source()
    new = 0
    for unique, run in groupby(chunks(jobs), key=_any_unique):
        for several in _batched(run):
            new += yield from (_enqueued(several) if unique else _copied(several, now))
    return new


def wait_for_source() -> Steps[datetime]:
    """Let this transaction wait for a slow source of jobs, up to ten minutes; return when it began."""
    rows = yield Query("transaction_wait", {"limit": "10min"})
    began: datetime = rows[0][0]
    return began.astimezone(UTC)


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


def _batched(run: Iterator[list[NewJob]]) -> Iterator[Iterator[list[NewJob]]]:
    """Cut a run of chunks into several, so that no one statement takes minutes."""
    for first in run:
        yield chain([first], islice(run, COPY_CHUNKS - 1))


def _enqueued(several: Iterable[list[NewJob]]) -> Steps[int]:
    new = 0
    for chunk in several:
        results = yield from store.enqueue(chunk)
        new += sum(not result.duplicate for result in results)
    return new


def _copied(several: Iterable[list[NewJob]], now: datetime) -> Steps[int]:
    count, queues = 0, set[str]()

    def parts() -> Iterator[bytes]:
        nonlocal count
        for chunk in several:
            count += len(chunk)
            queues.update(job.queue for job in chunk if _state(job) is JobState.AVAILABLE)
            yield "".join([f"{_state(job)}\t{_due(job, now)}\t{_rest_of_line(job)}" for job in chunk]).encode()

    yield Copy("job_copy_new", parts())
    if queues:
        yield Query("queue_wake", {"queues": sorted(queues)})
    return count


def _copy(chunk: Sequence[NewJob]) -> Steps[list[EnqueueResult]]:
    placed = yield from _copy_rows(chunk)
    return [EnqueueResult(_job(job, *place), duplicate=False) for job, place in zip(chunk, placed, strict=True)]


def _copy_rows(chunk: Sequence[NewJob]) -> Steps[list[_Place]]:
    """Copy a chunk in, wake its queues, and return what the jobs got by it: id, state, when enqueued and when due."""
    reserved = yield Query("job_reserve", {"count": len(chunk)})
    now = reserved[0][1].astimezone(UTC)
    placed = [(row[0], _state(job), now, _due(job, now)) for job, row in zip(chunk, reserved, strict=True)]
    yield Copy("job_copy", ["".join(map(_line, chunk, placed)).encode()])
    queues = sorted({job.queue for job, place in zip(chunk, placed, strict=True) if place[1] is JobState.AVAILABLE})
    if queues:
        yield Query("queue_wake", {"queues": queues})
    return placed


def _state(job: NewJob) -> JobState:
    """Return the state a job begins in, by the rules of ``job_enqueue.sql``."""
    if job.pending:
        return JobState.PENDING
    return JobState.AVAILABLE if job.scheduled_at is None and job.delay is None else JobState.SCHEDULED


def _due(job: NewJob, now: datetime) -> datetime:
    return job.scheduled_at or (now if job.delay is None else now + job.delay)


def _line(job: NewJob, place: _Place) -> str:
    """Return a job as a line of COPY's text format, in the order of ``job_copy.sql``."""
    job_id, state, now, due = place
    return f"{job_id}\t{state}\t{now}\t{due}\t{_rest_of_line(job)}"


def _rest_of_line(job: NewJob) -> str:
    """Return what a line says from the kind on.

    Kind, queue and tags have no character that the format gives a meaning to: the door admits none.
    """
    tags = ",".join(f'"{tag}"' for tag in job.tags)
    return (
        f"{job.kind}\t{_escaped(job.args_text)}\t{_escaped(job.metadata_text)}\t"
        f"{job.queue}\t{job.priority}\t{job.max_attempts}\t{{{tags}}}\n"
    )


def _escaped(json_text: str) -> str:
    """Return JSON text so that COPY takes it for one value; white space between its tokens may be any."""
    if "\\" in json_text:
        json_text = json_text.replace("\\", "\\\\")
    return json_text if json_text.isprintable() else json_text.translate(_BLANKS)


def _job(job: NewJob, job_id: int, state: JobState, now: datetime, due: datetime) -> Job:
    """Return the job that was copied in."""
    return Job(
        id=job_id,
        kind=job.kind,
        queue=job.queue,
        state=state,
        args_text=job.args_text,
        attempt=0,
        max_attempts=job.max_attempts,
        priority=job.priority,
        created_at=now,
        scheduled_at=due,
        metadata={} if job.metadata_text == "{}" else decode_json(job.metadata_text),
        tags=job.tags,
    )


def _any_unique(chunk: Sequence[NewJob]) -> bool:
    return any(job.unique_key is not None for job in chunk)
