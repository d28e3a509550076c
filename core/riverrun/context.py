"""What a handler can ask and say about the attempt it runs in."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, MutableMapping
from datetime import datetime, timedelta
from functools import cached_property
from threading import Event, Lock
from typing import Any, overload

from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus

from riverrun.claimed_job import ClaimedJob
from riverrun.database.statements import Statements
from riverrun.errors import InvalidInput
from riverrun.job import decode_json
from riverrun.sanitize import clean_json, clean_text
from riverrun.store import attempts

PROGRESS_KEY = "riverrun:progress"
OUTPUT_KEY = "output"
MAX_NOTE_BYTES = 200
MAX_OUTPUT_BYTES = 32 * 1024 * 1024
"""River's own limit for the output of a job."""


class Context:
    """The attempt a handler runs in; its methods may be called from the handler's own thread.

    Attributes:
        job: The job: ``id``, ``kind``, ``args``, ``queue``, ``tags``, ``metadata``, ``created_at`` and so on.
        limit_seconds: Time limit of this attempt; ``None`` means that there is none.

    Args:
        job: The job.
        server_id: The host, for log lines.
        incarnation: The executor, as it stands in ``attempted_by``.
        statements: SQL of the schema.
    """

    def __init__(self, job: ClaimedJob, *, server_id: str, incarnation: str, statements: Statements) -> None:
        self.job = job
        self._incarnation = incarnation
        self._statements = statements
        self.limit_seconds: float | None = None
        self._server_id = server_id
        self._cancelled = False
        self._told: Event | None = None
        self._lock = Lock()
        self._notes: dict[str, str] = {}
        self._unwritten: dict[str, str] = {}

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
        """A logger whose every line names the job."""
        return JobLogger(logging.getLogger("riverrun.job"), job_fields(self.job, self._server_id))

    @property
    def cancelled(self) -> bool:
        """True once the job was cancelled, ran out of time, or its executor stops; finish soon then."""
        return self._cancelled

    def wait_cancelled(self, seconds: float) -> bool:
        """Sleep up to ``seconds`` in a plain function, less if the attempt is cancelled; return ``cancelled``."""
        with self._lock:
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
        self._note(PROGRESS_KEY, clean_json({"fraction": fraction, "note": clean_text(str(note), MAX_NOTE_BYTES)}))

    def output(self, value: object) -> None:
        """Record a result with the job, any JSON value; a later one replaces it."""
        self._note(OUTPUT_KEY, clean_json(value, limit=MAX_OUTPUT_BYTES))

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
        if conn.autocommit and conn.info.transaction_status == TransactionStatus.IDLE:
            raise InvalidInput("conn", "a connection that commits by itself", "one within a transaction")
        steps = attempts.complete_in(self.job, self._incarnation, self.all_notes())
        if isinstance(conn, AsyncConnection):
            return self._statements.run(conn, steps)
        return self._statements.run_sync(conn, steps)

    def cancel(self) -> None:
        """Ask the handler to stop; the executor calls this, a handler sees ``cancelled``."""
        self._cancelled = True
        if self._told is not None:
            self._told.set()

    def take_notes(self) -> str | None:
        """Return what was noted since the last call as a JSON object, for the executor to write; None when nothing."""
        with self._lock:
            notes, self._unwritten = self._unwritten, {}
        return _object(notes)

    def all_notes(self) -> str | None:
        """Return everything noted in this attempt as a JSON object, for its last write; None when nothing."""
        with self._lock:
            return _object(self._notes)

    def relay(self, notes: str | None) -> None:
        """Take over what this attempt has noted in another process, a JSON object."""
        for key, value in decode_json(notes or "{}").items():
            self._note(key, clean_json(value, limit=MAX_OUTPUT_BYTES))

    def _note(self, key: str, json_text: str) -> None:
        with self._lock:
            self._notes[key] = self._unwritten[key] = json_text


class JobLogger(logging.LoggerAdapter[logging.Logger]):
    """Adds the fields of a job to every line, beside those the caller gives."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Merge the fields into ``extra``; those of the job win."""
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs


def job_fields(job: ClaimedJob, server_id: str) -> dict[str, object]:
    """Return what every log line about ``job`` carries."""
    return {
        "job_id": job.id,
        "kind": job.kind,
        "queue": job.queue,
        "attempt": job.attempt,
        "server_id": server_id,
    }


def _object(members: dict[str, str]) -> str | None:
    """Return an object of members whose values are JSON text already."""
    if not members:
        return None
    return "{" + ",".join(f'"{key}":{text}' for key, text in members.items()) + "}"
