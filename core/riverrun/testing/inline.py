"""Clients that run each job at once instead of enqueuing it, for tests that want neither a database nor a daemon."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from riverrun.claimed_job import ClaimedJob
from riverrun.client import AsyncClient
from riverrun.client import EnqueueMiddleware as AsyncEnqueueMiddleware
from riverrun.context import Context
from riverrun.database.statements import Statements
from riverrun.job import Job, JobState, decode_json
from riverrun.job_spec import EnqueueHook, JobSpec
from riverrun.new_job import NewJob
from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Outcome
from riverrun.store.jobs import EnqueueResult
from riverrun.sync_client import Client, EnqueueMiddleware
from riverrun.testing.work import SERVER, Worked, attempted, finish

_NO_DATABASE = "dbname=inline"


class InlineClient(Client):
    """A `riverrun.Client` whose jobs are run by their handlers before its calls return, and kept nowhere.

    Jobs are checked as always and run at once, also those for later. Unique keys are not looked at. What a handler
    raises is raised to the caller. Methods that look after jobs cannot be used.

    Attributes:
        worked: What became of each job, in order.
    """

    def __init__(
        self, *, max_attempts: int = 25, hooks: Iterable[EnqueueHook] = (), middleware: Iterable[EnqueueMiddleware] = ()
    ) -> None:
        super().__init__(_NO_DATABASE, max_attempts=max_attempts, hooks=hooks, middleware=middleware)
        self.worked: list[Worked] = []
        self._ids = itertools.count(1)

    def copy_in(self, jobs: Iterable[JobSpec | NewJob], *, conn: Any = None) -> int:
        """Run the jobs of a stream and return how many there were."""
        return len(self._insert(list(self._checked(jobs)), conn=conn))

    def _opened(self) -> NoReturn:
        raise AssertionError(_NOTHING_KEPT)

    def _insert(self, jobs: Sequence[NewJob], *, conn: Any) -> Any:  # noqa: ARG002 - nothing is written
        __tracebackhide__ = True
        contexts = _contexts(jobs, self._ids)
        return [_result(self.worked, context, finish(attempted(context)), job) for context, job in contexts]


class AsyncInlineClient(AsyncClient):
    """The same for `riverrun.AsyncClient`; see `InlineClient`."""

    def __init__(
        self,
        *,
        max_attempts: int = 25,
        hooks: Iterable[EnqueueHook] = (),
        middleware: Iterable[AsyncEnqueueMiddleware] = (),
    ) -> None:
        super().__init__(_NO_DATABASE, max_attempts=max_attempts, hooks=hooks, middleware=middleware)
        self.worked: list[Worked] = []
        self._ids = itertools.count(1)

    async def copy_in(
        self, jobs: Iterable[JobSpec | NewJob] | AsyncIterable[JobSpec | NewJob], *, conn: Any = None
    ) -> int:
        """Run the jobs of a stream and return how many there were."""
        given = [job async for job in jobs] if isinstance(jobs, AsyncIterable) else jobs
        return len(await self._insert(list(self._checked(given)), conn=conn))

    async def _opened(self) -> NoReturn:
        raise AssertionError(_NOTHING_KEPT)

    async def _insert(self, jobs: Sequence[NewJob], *, conn: Any) -> Any:  # noqa: ARG002 - nothing is written
        __tracebackhide__ = True
        contexts = _contexts(jobs, self._ids)
        return [_result(self.worked, context, await attempted(context), job) for context, job in contexts]


_NOTHING_KEPT = "an inline client keeps no jobs; look at its `worked`, or use a client with a database"


def _contexts(jobs: Sequence[NewJob], ids: Iterator[int]) -> Iterator[tuple[Context, NewJob]]:
    """Give the first attempt of each job, as if an executor had claimed it."""
    for job in jobs:
        now = int(datetime.now(UTC).timestamp() * 1_000_000)
        row = (
            next(ids), job.kind, job.args_text, 1, job.max_attempts, job.priority, job.metadata_text, job.tags, 0, now,
            now, now,
        )  # fmt: skip
        claimed = ClaimedJob(row, job.queue)
        yield Context(claimed, server_id=SERVER, incarnation=SERVER, statements=Statements()), job


def _result(worked: list[Worked], context: Context, outcome: Outcome, new: NewJob) -> EnqueueResult:
    """Remember an attempt and return what the client's caller gets of it.

    Raises:
        BaseException: What the handler raised.
    """
    __tracebackhide__ = True
    claimed = context.job
    notes = context.all_notes(completed=isinstance(outcome, Completed))
    finalized = isinstance(outcome, Completed | Cancelled | Discarded)
    job = Job(
        id=claimed.id,
        kind=claimed.kind,
        queue=claimed.queue,
        state=_state(outcome),
        args_text=claimed.args_text,
        attempt=1,
        max_attempts=claimed.max_attempts,
        priority=claimed.priority,
        created_at=claimed.created_at,
        scheduled_at=claimed.scheduled_at,
        attempted_at=claimed.attempted_at,
        finalized_at=datetime.now(UTC) if finalized else None,
        metadata={**claimed.metadata, **decode_json(notes or "{}")},
        tags=new.tags,
    )
    worked.append(Worked(job, outcome, context.error))
    if context.error is not None and isinstance(outcome, Failed | Discarded):
        raise context.error
    return EnqueueResult(job, duplicate=False)


def _state(outcome: Outcome) -> JobState:
    match outcome:
        case Completed():
            return JobState.COMPLETED
        case Cancelled():
            return JobState.CANCELLED
        case Discarded():
            return JobState.DISCARDED
        case Failed():
            return JobState.RETRYABLE
        case _:
            return JobState.SCHEDULED
