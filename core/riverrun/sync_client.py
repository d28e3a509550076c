"""Enqueue and look after jobs from blocking code: the operations of `riverrun.client`, without ``await``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar, Unpack

from psycopg import Connection
from psycopg_pool import ConnectionPool

from riverrun import operations
from riverrun.client_base import APPLICATION_NAME, WAIT_SECONDS, ClientBase, connection_of
from riverrun.database.connect import connect_sync
from riverrun.database.explain import explained
from riverrun.database.pool_check import check
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
Conn: TypeAlias = Connection[Any]
Results: TypeAlias = list[EnqueueResult]
Enqueue: TypeAlias = Callable[[Sequence[NewJob]], Results]
EnqueueMiddleware: TypeAlias = Callable[[Sequence[NewJob], Enqueue], Results]
"""A plain function that is given checked jobs and what enqueues them, and returns its results."""


class Client(ClientBase):
    """Enqueues jobs and looks after them.

    Use it as ``with Client() as client:``, or call `close` at the end. It opens connections when it needs them, at
    most ``max_connections``, and may be shared by all threads of a process, but not with a process forked from it.

    Arguments, results and errors of every method are those of `riverrun.AsyncClient`; ``conn`` is a psycopg
    ``Connection`` of the caller's, with whose transaction everything commits or rolls back; a middleware
    is a plain function.
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
        self._pool: ConnectionPool[Conn] | None = None
        self._opening = threading.Lock()

    def enqueue(
        self, kind: str, args: Args, *, conn: Conn | None = None, **options: Unpack[EnqueueOptions]
    ) -> EnqueueResult:
        """Enqueue a job and return it; with ``unique``, the job that was there before if there is one.

        Args:
            kind: Picks the handler.
            args: A mapping, a dataclass, a pydantic model, or the JSON text of an object, which is stored as it is.
            conn: The caller's own connection.
            options: See `riverrun.job_spec.EnqueueOptions`.
        """
        (result,) = self._enqueue([self._new(kind, args, options)], conn)
        return result

    def enqueue_many(self, jobs: Iterable[JobSpec | NewJob], *, conn: Conn | None = None) -> list[EnqueueResult]:
        """Enqueue all of ``jobs`` or none, in one transaction, and return one result for each in their order."""
        return self._enqueue(list(self._checked(jobs)), conn)

    def copy_in(self, jobs: Iterable[JobSpec | NewJob], *, conn: Conn | None = None) -> int:
        """Enqueue a stream of any length in constant memory, all of it or nothing; return how many jobs are new."""
        checked = self._checked(jobs)
        with self._connection(conn, whole=True) as active:
            if conn is None:
                return self._statements.run_sync(active, bulk.copy_stream(checked))
            # The source may read from the caller's own connection, between two statements.
            return sum(len(self._statements.run_sync(active, bulk.copy_in(chunk))) for chunk in bulk.chunks(checked))

    def get(self, job_id: int, *, conn: Conn | None = None) -> Job:
        """Return one job."""
        return self.run(operations.get(job_id), conn=conn)

    def list(self, *, limit: int = 50, cursor: str | None = None, **filters: Unpack[operations.ListFilters]) -> Page:
        """Return up to ``limit`` jobs and the cursor of the next page, which is None on the last one."""
        return self.run(operations.page(filters, limit=limit, cursor=cursor))

    def update(self, job_id: int, *, conn: Conn | None = None, **changes: Unpack[operations.Changes]) -> Job:
        """Change the output or the metadata of a job, whatever its state, and return it."""
        return self.run(operations.update(job_id, changes), conn=conn)

    def cancel(self, job_id: int, *, conn: Conn | None = None) -> CancelResult:
        """Cancel a job that waits; ask the executor of one that runs to stop it."""
        return self.run(operations.cancel(job_id), conn=conn)

    def retry(self, job_id: int, *, conn: Conn | None = None) -> Job:
        """Make a job available by hand, with one more attempt when all were used, and return it."""
        return self.run(operations.retry(job_id), conn=conn)

    def delete(self, job_id: int, *, conn: Conn | None = None) -> None:
        """Delete a job that does not run."""
        self.run(operations.delete(job_id), conn=conn)

    def pause_queue(self, queue: str, *, conn: Conn | None = None) -> None:
        """Let executors claim no more jobs of ``queue``, or of every known one with ``*``; running jobs go on."""
        self.run(operations.pause_queue(queue), conn=conn)

    def resume_queue(self, queue: str, *, conn: Conn | None = None) -> None:
        """Let a paused queue go on, or every known one with ``*``."""
        self.run(operations.resume_queue(queue), conn=conn)

    def get_queue(self, queue: str, *, conn: Conn | None = None) -> Queue:
        """Return a queue as River keeps it."""
        return self.run(operations.get_queue(queue), conn=conn)

    def set_queue_metadata(
        self, queue: str, metadata: Mapping[str, object] | str, *, conn: Conn | None = None
    ) -> Queue:
        """Replace what is said about ``queue`` and tell everybody who works on it; at most 7,000 bytes of JSON."""
        return self.run(operations.set_queue_metadata(queue, metadata), conn=conn)

    def schedules(self, *, conn: Conn | None = None) -> Schedules:
        """Return what is enqueued by the clock, in the order of its names."""
        return self.run(operations.list_schedules(), conn=conn)

    def add_schedule(
        self, name: str, kind: str, *, conn: Conn | None = None, **options: Unpack[operations.ScheduleOptions]
    ) -> Schedule:
        """Let jobs of ``kind`` be enqueued by the clock from now on, and return the schedule."""
        return self.run(operations.add_schedule(name, kind, options), conn=conn)

    def remove_schedule(self, name: str, *, conn: Conn | None = None) -> None:
        """Delete a schedule that was not made by a configuration; jobs that it has enqueued stay."""
        self.run(operations.remove_schedule(name), conn=conn)

    def request_resign(self, *, conn: Conn | None = None) -> None:
        """Ask whoever does the maintenance, our scheduler or a client of River, to let another have a try."""
        self.run(operations.request_resign(), conn=conn)

    def subscribe(self, kinds: Iterable[str] = (), *, timeout: float | None = None) -> Iterator[Event]:
        """Give events as they happen anywhere in the fleet, over a connection of their own."""
        return iter(self._subscription(kinds, timeout))

    def run(self, steps: Steps[T], *, conn: Conn | None = None, whole: bool = False) -> T:
        """Run any operation of `riverrun.store` and return its result; ``whole``: in one transaction."""
        with self._connection(conn, whole=whole) as active:
            return self._statements.run_sync(active, steps)

    def close(self) -> None:
        """Close the connections; the client cannot be used any more. May be called again."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close(timeout=WAIT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _enqueue(self, jobs: Sequence[NewJob], conn: Conn | None) -> Results:
        enqueue: Enqueue = partial(self._insert, conn=conn)
        for wrap in reversed(self._middleware):
            enqueue = partial(_around, wrap, enqueue)
        return enqueue(jobs)

    def _insert(self, jobs: Sequence[NewJob], *, conn: Conn | None) -> Results:
        with self._connection(conn, whole=len(jobs) > 1) as active:
            return self._statements.run_sync(active, bulk.enqueue(jobs))

    @contextmanager
    def _connection(self, conn: Conn | None, *, whole: bool = False) -> Iterator[Conn]:
        """Give a connection, the caller's or one of ours; ``whole``: what is done on it is done together."""
        with explained(self._database):
            given = nullcontext(connection_of(conn, Connection)) if conn is not None else None
            # Without autocommit the caller's own transaction begins with our first statement, and stays open.
            with (
                given or self._opened().connection() as active,
                active.transaction() if whole and active.autocommit else nullcontext(),
            ):
                yield active

    def _opened(self) -> ConnectionPool[Conn]:
        """Return the pool; the first call tries the address and the password, so that a wrong one is told at once."""
        with self._opening:
            if self._closed:
                raise DatabaseUnavailable("this client is closed; make a new one")
            if self._pool is None:
                connect_sync(self._dsn, name=APPLICATION_NAME).close()
                self._pool = ConnectionPool(**self._pool_options(), check=check, open=True)
            return self._pool


def _around(wrap: EnqueueMiddleware, enqueue: Enqueue, jobs: Sequence[NewJob]) -> Results:
    return wrap(jobs, enqueue)
