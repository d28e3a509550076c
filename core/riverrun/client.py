"""Enqueue and look after jobs from asyncio code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar, Unpack

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from riverrun import operations
from riverrun.client_base import APPLICATION_NAME, WAIT_SECONDS, ClientBase, connection_of
from riverrun.database.connect import connect
from riverrun.database.explain import explained
from riverrun.database.pool_check import check_async
from riverrun.database.statements import Steps
from riverrun.errors import DatabaseUnavailable
from riverrun.events import Event
from riverrun.job import Job
from riverrun.job_spec import Args, EnqueueHook, EnqueueOptions, JobSpec
from riverrun.new_job import NewJob
from riverrun.schedule import Schedule
from riverrun.store import bulk
from riverrun.store.jobs import CancelResult, EnqueueResult
from riverrun.store.listing import Page
from riverrun.store.queues import Queue

T = TypeVar("T")
Schedules: TypeAlias = list[Schedule]  # a method of the client is called list
Conn: TypeAlias = AsyncConnection[Any]
Results: TypeAlias = list[EnqueueResult]
Enqueue: TypeAlias = Callable[[Sequence[NewJob]], Awaitable[Results]]
EnqueueMiddleware: TypeAlias = Callable[[Sequence[NewJob], Enqueue], Awaitable[Results]]
"""An async function that is given checked jobs and what enqueues them, and returns its results."""


class AsyncClient(ClientBase):
    """Enqueues jobs and looks after them.

    Use it as ``async with AsyncClient() as client:``, or call `close` at the end. It opens connections when it needs
    them, at most ``max_connections``, and may be shared by all tasks of one event loop.

    Every method that takes ``conn`` works on that psycopg ``AsyncConnection`` instead: what it does commits or rolls
    back with the caller's own transaction, and executors learn of it at the commit.

    Args:
        dsn: Connection string; without one ``DATABASE_URL``, else the embedded PostgreSQL of this user if it runs.
        schema: Where River's tables are; without one the connection's ``search_path`` decides.
        max_attempts: Of a job that is enqueued without a number of its own.
        max_connections: The most connections that the client opens.
        hooks: Plain functions that are shown each job as the producer gave it, before it is checked, and may change it.
        middleware: Async functions around each `enqueue` and `enqueue_many`, the first outermost; not around `copy_in`.

    Raises:
        ConfigError: No database is named.
        InvalidInput: An argument is not allowed.

    Besides the errors that they name, all methods raise `DatabaseUnavailable` when PostgreSQL cannot be reached or
    does not answer in time, and `SchemaError` when its tables are not those of this release.
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        schema: str | None = None,
        max_attempts: int = 25,
        max_connections: int = 4,
        hooks: Iterable[EnqueueHook] = (),
        middleware: Iterable[EnqueueMiddleware] = (),
    ) -> None:
        super().__init__(dsn, schema=schema, max_attempts=max_attempts, max_connections=max_connections, hooks=hooks)
        self._middleware = tuple(middleware)
        self._pool: AsyncConnectionPool[Conn] | None = None
        self._opening = asyncio.Lock()

    async def enqueue(
        self, kind: str, args: Args, *, conn: Conn | None = None, **options: Unpack[EnqueueOptions]
    ) -> EnqueueResult:
        """Enqueue a job and return it; with ``unique``, the job that was there before if there is one.

        Args:
            kind: Picks the handler.
            args: A mapping, a dataclass, a pydantic model, or the JSON text of an object, which is stored as it is.
            conn: The caller's own connection.
            options: See `riverrun.job_spec.EnqueueOptions`.

        Raises:
            InvalidInput: Something is not allowed; nothing was enqueued.
        """
        (result,) = await self._enqueue([self._new(kind, args, options)], conn)
        return result

    async def enqueue_many(self, jobs: Iterable[JobSpec | NewJob], *, conn: Conn | None = None) -> list[EnqueueResult]:
        """Enqueue all of ``jobs`` or none, in one transaction, and return one result for each in their order.

        Args:
            jobs: Mappings such as ``{"kind": "email", "args": {...}, "queue": "mail"}``; more than 1,000 go by COPY.
            conn: The caller's own connection.

        Raises:
            InvalidInput: One of them is not allowed; its field begins with ``jobs.<position>``.
        """
        return await self._enqueue(list(self._checked(jobs)), conn)

    async def copy_in(
        self, jobs: Iterable[JobSpec | NewJob] | AsyncIterable[JobSpec | NewJob], *, conn: Conn | None = None
    ) -> int:
        """Enqueue a stream of any length in constant memory, all of it or nothing; return how many jobs are new.

        Args:
            jobs: As for `enqueue_many`; read while the transaction is open, so it should not pause for long.
            conn: The caller's own connection.

        Raises:
            InvalidInput: One of them is not allowed; its field begins with ``jobs.<position>``.
        """
        stream = jobs if isinstance(jobs, AsyncIterable) else _stream(jobs)
        cutter, position, new = bulk.ChunkCutter(), 0, 0
        async with self._connection(conn, whole=True) as active:
            if conn is None:
                await self._statements.run(active, bulk.wait_for_source())
            async for job in stream:
                if chunk := cutter.add(self._checked_at(position, job)):
                    new += len(await self._statements.run(active, bulk.copy_in(chunk)))
                position += 1
            if chunk := cutter.rest():
                new += len(await self._statements.run(active, bulk.copy_in(chunk)))
        return new

    async def get(self, job_id: int, *, conn: Conn | None = None) -> Job:
        """Return one job.

        Raises:
            NotFound: There is no such job.
        """
        return await self.run(operations.get(job_id), conn=conn)

    async def list(
        self, *, limit: int = 50, cursor: str | None = None, **filters: Unpack[operations.ListFilters]
    ) -> Page:
        """Return up to ``limit`` jobs and the cursor of the next page, which is None on the last one.

        Args:
            limit: 1 to 1,000.
            cursor: The ``next_cursor`` of an earlier page of the same filters.
            filters: See `riverrun.operations.ListFilters`.

        Raises:
            InvalidInput: A filter is not allowed, or the cursor belongs to other filters.
        """
        return await self.run(operations.page(filters, limit=limit, cursor=cursor))

    async def update(self, job_id: int, *, conn: Conn | None = None, **changes: Unpack[operations.Changes]) -> Job:
        """Change the output or the metadata of a job, whatever its state, and return it.

        Args:
            job_id: The job; a handler changes its own through its context.
            conn: The caller's own connection.
            changes: See `riverrun.operations.Changes`.

        Raises:
            InvalidInput: Something is not allowed, or nothing is to be changed.
            NotFound: There is no such job.
        """
        return await self.run(operations.update(job_id, changes), conn=conn)

    async def cancel(self, job_id: int, *, conn: Conn | None = None) -> CancelResult:
        """Cancel a job that waits; ask the executor of one that runs to stop it.

        Raises:
            NotFound: There is no such job.
            JobFinalized: It is completed or discarded; cancelling a cancelled job is no error.
        """
        return await self.run(operations.cancel(job_id), conn=conn)

    async def retry(self, job_id: int, *, conn: Conn | None = None) -> Job:
        """Make a job available by hand, with one more attempt when all were used, and return it.

        Raises:
            NotFound: There is no such job.
            JobRunning: It is being executed.
            UniqueConflict: Another unfinished job has its unique key.
        """
        return await self.run(operations.retry(job_id), conn=conn)

    async def delete(self, job_id: int, *, conn: Conn | None = None) -> None:
        """Delete a job that does not run.

        Raises:
            NotFound: There is no such job.
            JobRunning: It is being executed.
        """
        await self.run(operations.delete(job_id), conn=conn)

    async def pause_queue(self, queue: str, *, conn: Conn | None = None) -> None:
        """Let executors claim no more jobs of ``queue``, or of all with ``*``; `NotFound` when nobody knows it."""
        await self.run(operations.pause_queue(queue), conn=conn)

    async def resume_queue(self, queue: str, *, conn: Conn | None = None) -> None:
        """Let a paused queue go on, or all with ``*``; `NotFound` when nobody knows it."""
        await self.run(operations.resume_queue(queue), conn=conn)

    async def get_queue(self, queue: str, *, conn: Conn | None = None) -> Queue:
        """Return a queue as River keeps it; `NotFound` when nobody knows it."""
        return await self.run(operations.get_queue(queue), conn=conn)

    async def set_queue_metadata(
        self, queue: str, metadata: Mapping[str, object] | str, *, conn: Conn | None = None
    ) -> Queue:
        """Replace what is said about ``queue`` and tell everybody who works on it; at most 7,000 bytes of JSON."""
        return await self.run(operations.set_queue_metadata(queue, metadata), conn=conn)

    async def schedules(self, *, conn: Conn | None = None) -> Schedules:
        """Return what is enqueued by the clock, in the order of its names."""
        return await self.run(operations.list_schedules(), conn=conn)

    async def add_schedule(
        self, name: str, kind: str, *, conn: Conn | None = None, **options: Unpack[operations.ScheduleOptions]
    ) -> Schedule:
        """Let jobs of ``kind`` be enqueued by the clock from now on, and return the schedule.

        Args:
            name: What it is called.
            kind: Kind of its jobs.
            conn: The caller's own connection.
            options: See `riverrun.operations.ScheduleOptions`.

        Raises:
            InvalidInput: Something is not allowed.
            Conflict: There is one of that name.
        """
        return await self.run(operations.add_schedule(name, kind, options), conn=conn)

    async def remove_schedule(self, name: str, *, conn: Conn | None = None) -> None:
        """Delete a schedule that was not made by a configuration; jobs that it has enqueued stay."""
        await self.run(operations.remove_schedule(name), conn=conn)

    async def request_resign(self, *, conn: Conn | None = None) -> None:
        """Ask whoever does the maintenance, our scheduler or a client of River, to let another have a try."""
        await self.run(operations.request_resign(), conn=conn)

    def subscribe(self, kinds: Iterable[str] = (), *, timeout: float | None = None) -> AsyncIterator[Event]:
        """Give events as they happen anywhere in the fleet, over a connection of their own.

            async for event in client.subscribe(kinds=["failed"]):
                print(event.job_kind, event.job_id)

        Attempts are told once each and at most a second after their end is written, those that end from three seconds
        after the first event is awaited. What is lost with a connection is not told again: a `MISSED` event says that
        something may have been, and `list` knows how the jobs stand. Attempts that River's other clients end, or the
        rescue of a crashed executor, are not told; queues that they pause or resume are.

        Args:
            kinds: ``completed``, ``failed``, ``cancelled``, ``snoozed``, ``interrupted``, ``queue_paused``,
                ``queue_resumed``; all without any.
            timeout: Seconds of silence after which the iteration ends; without it never.

        Raises:
            InvalidInput: One of ``kinds`` is not known.
        """
        return aiter(self._subscription(kinds, timeout))

    async def run(self, steps: Steps[T], *, conn: Conn | None = None, whole: bool = False) -> T:
        """Run any operation of `riverrun.store` and return its result; ``whole``: in one transaction."""
        async with self._connection(conn, whole=whole) as active:
            return await self._statements.run(active, steps)

    async def close(self) -> None:
        """Close the connections; the client cannot be used any more. May be called again."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close(timeout=WAIT_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _enqueue(self, jobs: Sequence[NewJob], conn: Conn | None) -> Results:
        enqueue: Enqueue = partial(self._insert, conn=conn)
        for wrap in reversed(self._middleware):
            enqueue = partial(_around, wrap, enqueue)
        return await enqueue(jobs)

    async def _insert(self, jobs: Sequence[NewJob], *, conn: Conn | None) -> Results:
        async with self._connection(conn, whole=len(jobs) > 1) as active:
            return await self._statements.run(active, bulk.enqueue(jobs))

    @asynccontextmanager
    async def _connection(self, conn: Conn | None, *, whole: bool = False) -> AsyncIterator[Conn]:
        """Give a connection, the caller's or one of ours; ``whole``: what is done on it is done together."""
        with explained(self._database):
            given = nullcontext(connection_of(conn, AsyncConnection)) if conn is not None else None
            # Without autocommit the caller's own transaction begins with our first statement, and stays open.
            async with (
                given or (await self._opened()).connection() as active,
                active.transaction() if whole and active.autocommit else nullcontext(),
            ):
                yield active

    async def _opened(self) -> AsyncConnectionPool[Conn]:
        """Return the pool; the first call tries the address and the password, so that a wrong one is told at once."""
        async with self._opening:
            if self._closed:
                raise DatabaseUnavailable("this client is closed; make a new one")
            if self._pool is None:
                await (await connect(self._dsn, name=APPLICATION_NAME)).close()
                pool = AsyncConnectionPool(**self._pool_options(), check=check_async, open=False)
                await pool.open()
                self._pool = pool
            return self._pool


async def _around(wrap: EnqueueMiddleware, enqueue: Enqueue, jobs: Sequence[NewJob]) -> Results:
    return await wrap(jobs, enqueue)


async def _stream(jobs: Iterable[T]) -> AsyncIterator[T]:
    for job in jobs:
        yield job
