"""What a handler can ask and say about the attempt it runs in."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from threading import Event, Lock
from typing import Any, ParamSpec, TypeVar, overload

from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus

from riverrun.claimed_job import ClaimedJob
from riverrun.database.statements import Statements, Steps
from riverrun.errors import InvalidInput
from riverrun.job import decode_json
from riverrun.job_log import LOG_KEY, JobLogger, job_fields
from riverrun.members import MAX_OUTPUT_BYTES, output_member, own_members
from riverrun.notes import Notes
from riverrun.resumable import CURSOR_KEY, STEP_KEY, Resumable, as_claimed
from riverrun.sanitize import clean_json, clean_text
from riverrun.store import attempts

PROGRESS_KEY = "riverrun:progress"
MAX_NOTE_BYTES = 200

_making = Lock()
"""Held while something that an attempt rarely needs is made; two of its threads may ask for it at once."""

P = ParamSpec("P")
T = TypeVar("T")


class Context:
    """The attempt a handler runs in; its methods may be called from the handler's own thread.

    Attributes:
        job: The job: ``id``, ``kind``, ``args``, ``queue``, ``tags``, ``metadata``, ``created_at`` and so on.
        limit_seconds: Time limit of this attempt; ``None`` means that there is none.
        error: What a Python handler raised, once the attempt has failed.
        stopped_by: Why it was told to stop: ``cancel``, ``timeout``, ``shutdown``, or ``ended`` when its end is
            written already, as its service said it; empty while it was not.

    Args:
        job: The job.
        server_id: The host, for log lines.
        incarnation: The executor, as it stands in ``attempted_by``.
        statements: SQL of the schema.
    """

    # Most attempts need none of these; what is not made costs them nothing.
    error: BaseException | None = None
    _told: Event | None = None
    _notes: Notes | None = None
    _resumable: Resumable | None = None

    def __init__(self, job: ClaimedJob, *, server_id: str, incarnation: str, statements: Statements) -> None:
        self.job = job
        self._incarnation = incarnation
        self._statements = statements
        self.limit_seconds: float | None = None
        self.stopped_by = ""
        self._server_id = server_id
        self._cancelled = False

    @property
    def attempt(self) -> int:
        """Number of this attempt, from 1."""
        return self.job.attempt

    @property
    def deadline(self) -> datetime | None:
        """When the attempt runs out of time, by the clock of the database; ``None`` when it never does."""
        return None if self.limit_seconds is None else self.job.attempted_at + timedelta(seconds=self.limit_seconds)

    @property
    def fence(self) -> str:
        """A token of this one attempt; a receiver that remembers the newest can refuse an older one."""
        return f"{self.job.id}:{self.job.attempt}:{self.job.attempted_us}"

    @cached_property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines name the job and are kept with it, where River UI shows them: 2 MiB of each attempt."""
        return JobLogger(self._noted().open_log(self.job), job_fields(self.job, self._server_id))

    @property
    def cancelled(self) -> bool:
        """True once the job was cancelled, ran out of time, or its executor stops; finish soon then."""
        return self._cancelled

    def wait_cancelled(self, seconds: float) -> bool:
        """Sleep up to ``seconds`` in a plain function, less if the attempt is cancelled; return ``cancelled``."""
        with _making:
            told = self._told = self._told or Event()
        return self._cancelled or told.wait(seconds)

    def progress(self, fraction: float, note: str = "") -> None:
        """Show how far the attempt is; written to the database about once a second.

        Args:
            fraction: From 0 to 1.
            note: A few words about the present step.

        Raises:
            InvalidInput: ``fraction`` is not a number from 0 to 1.
        """
        if not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
            raise InvalidInput("progress", fraction, "a fraction from 0 to 1")
        value = {"fraction": fraction, "note": clean_text(str(note), MAX_NOTE_BYTES)}
        self._noted().put({PROGRESS_KEY: clean_json(value)})

    def output(self, value: object) -> None:
        """Record a result with the job, any JSON value; a later one replaces it."""
        self._noted().put(output_member(value))

    def update(self, metadata: Mapping[str, object]) -> None:
        """Merge ``metadata`` into that of the job; written about once a second, and at the end of the attempt.

        Raises:
            InvalidInput: It is not a mapping of names to JSON values, or a name begins with ``river:`` or
                ``riverrun:``.
        """
        self._noted().put(own_members(metadata))

    @overload
    def step(
        self, name: str, function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T | None]: ...

    @overload
    def step(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | None: ...

    def step(self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call ``function`` unless an earlier attempt of the job did and it finished; await the call if it is async.

            await ctx.step("charge", charge, card)
            await ctx.step("ship", ship, order)

        A step that finished is written about once a second, and at the end of the attempt: after a crash the last one
        may run again. Steps are taken one after the other and each time in the same order. Their names are stored, so
        they must outlive a deployment. A step may hold others. What a skipped one returned is gone: it gives ``None``.
        A step that fails fails the attempt, even if its error is caught.

        Args:
            name: Unlike that of any other step of the handler.
            function: An async function, or a plain one.
            args: Given to it, as are ``kwargs``.
            kwargs: Likewise.

        Raises:
            InvalidInput: ``name`` is empty or was used before in this attempt.
        """
        return self._steps().run(name, function, args, kwargs)

    @property
    def cursor(self) -> Any:
        """How far the present step has come: what it was last set to, by an earlier attempt or this one.

            async def copy(ctx: Context) -> None:
                async for row in rows(after=ctx.cursor):
                    ...
                    ctx.cursor = row.id

        Any JSON value; ``None`` at the beginning. Written as steps are, so rows that were done within the last second
        before a crash are done again. `save_in` writes it exactly.

        Raises:
            InvalidInput: Outside of a step, or set to what is no JSON value.
        """
        return self._steps().cursor

    @cursor.setter
    def cursor(self, value: object) -> None:
        self._steps().cursor = value

    @overload
    def complete_in(self, conn: Connection[Any]) -> None: ...

    @overload
    def complete_in(self, conn: AsyncConnection[Any]) -> Awaitable[None]: ...

    def complete_in(self, conn: Connection[Any] | AsyncConnection[Any]) -> Awaitable[None] | None:
        """Complete the job in a transaction of the handler's own; to be awaited when ``conn`` is asynchronous.

            async with await psycopg.AsyncConnection.connect(dsn) as conn:   # commits at the end of the block
                await conn.execute("UPDATE account SET ...")
                await ctx.complete_in(conn)

        What the handler has written in the transaction and the end of the job become true together or not at all: they
        happen exactly once. Call it last and commit right after: the job's row stays locked until then. Outputs that
        were recorded go along. When the transaction is rolled back, the attempt ends as if this had not been called.

        Args:
            conn: A psycopg connection to the database that holds the job, in a transaction.

        Raises:
            InvalidInput: ``conn`` commits by itself and no transaction was begun, so the two would not belong together.
            StaleAttempt: The job was taken from this attempt and may run elsewhere; roll back.
        """
        self.check_end()
        return self._run_in(conn, attempts.complete_in(self.job, self._incarnation, self.all_notes(completed=True)))

    @overload
    def save_in(self, conn: Connection[Any], *, cursor: object = None) -> None: ...

    @overload
    def save_in(self, conn: AsyncConnection[Any], *, cursor: object = None) -> Awaitable[None]: ...

    def save_in(self, conn: Connection[Any] | AsyncConnection[Any], *, cursor: object = None) -> Awaitable[None] | None:
        """Write what was noted so far (output, metadata, log, steps) in a transaction of the handler's own.

            await conn.execute("INSERT INTO copy ...")
            await ctx.save_in(conn, cursor=row.id)
            await conn.commit()

        The rows and the cursor become true together, so no row is done twice or left out. Commit soon: the job's row
        stays locked until then.

        Args:
            conn: As for `complete_in`.
            cursor: How far the present step has come; from now on only `save_in` writes it, until the step ends.

        Raises:
            InvalidInput: As `complete_in`; or ``cursor`` is given outside of a step, or is no JSON value.
            StaleAttempt: The job was taken from this attempt and may run elsewhere; roll back.
        """
        steps = self._steps().saved_in(cursor) if cursor is not None or self._resumable is not None else {}
        patch = self._noted().all_and(steps)
        return self._run_in(conn, attempts.save_in(self.job, self._incarnation, patch))

    def cancel(self) -> None:
        """Ask the handler to stop; the executor calls this, a handler sees ``cancelled``."""
        self._cancelled = True
        if self._told is not None:
            self._told.set()

    def take_notes(self, *, again: bool = False) -> str | None:
        """Return what was noted since the last call as a JSON object, for the executor to write; None when nothing.

        Args:
            again: What was taken before may not have been written: return that as well.
        """
        return None if self._notes is None else self._notes.take(again=again)

    def all_notes(self, *, completed: bool = False) -> str | None:
        """Return everything noted in this attempt as a JSON object, for its last write; None when nothing."""
        if self._notes is None:
            return None
        restored = as_claimed(self.job) if completed and self._notes.has(STEP_KEY, CURSOR_KEY) else {}
        return self._notes.all(restored)

    def check_end(self) -> None:
        """Raise what keeps the attempt from being a success although its handler has returned; see `step`."""
        if self._resumable is not None:
            self._resumable.check_end()

    def relay(self, notes: str | None) -> None:
        """Take over what this attempt has noted in another process, a JSON object."""
        for key, value in decode_json(notes or "{}").items():
            if key == LOG_KEY:
                self._noted().open_log(self.job).adopt(value)
            else:
                self._noted().put({key: clean_json(value, limit=MAX_OUTPUT_BYTES)})

    def _noted(self) -> Notes:
        if self._notes is None:
            with _making:
                self._notes = self._notes or Notes()
        return self._notes

    def _steps(self) -> Resumable:
        if self._resumable is None:
            self._resumable = Resumable(self.job, self._noted())
        return self._resumable

    def _run_in(self, conn: Connection[Any] | AsyncConnection[Any], steps: Steps[None]) -> Awaitable[None] | None:
        """Run a write of the attempt in the handler's own transaction."""
        if conn.autocommit and conn.info.transaction_status == TransactionStatus.IDLE:
            raise InvalidInput("conn", "a connection that commits by itself", "one within a transaction")
        if isinstance(conn, AsyncConnection):
            return self._statements.run(conn, steps)
        return self._statements.run_sync(conn, steps)
