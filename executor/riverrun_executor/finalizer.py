"""Finalize: write how attempts ended, many in one statement, until the database has them."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection

from riverrun.claimed_job import ClaimedJob
from riverrun.database.connect import connect, first_line
from riverrun.database.deadline import SLOWEST, deadline
from riverrun.database.statements import Statements, Steps
from riverrun.errors import DatabaseUnavailable
from riverrun.job_log import job_fields
from riverrun.outcome import Completed, Failed
from riverrun.reconnect_wait import ReconnectWait
from riverrun.retry import RIVER_BACKOFF, RetryPolicy
from riverrun.store import attempts
from riverrun.telemetry import metrics
from riverrun.transition import Finalization, decide, with_notes
from riverrun.waiting import happened
from riverrun_executor.ending import Ending
from riverrun_executor.refused import VALUE_ERRORS, RefusedEndings, is_about_a_row
from riverrun_executor.slots import Slots

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_BATCH = 500
LINGER_SECONDS = 0.002
"""How long the first ending of a batch waits for its neighbours."""

LOCK_SECONDS = 2.5
"""So long the server waits for a table that somebody has locked; rows that are locked keep nobody waiting."""

ANSWER_SECONDS = LOCK_SECONDS + 0.6
"""A connection that is silent for longer is taken for dead. If it was only slow, what it wrote is known to be ours."""

LOCKED_SECONDS = 0.05
"""Pause when all that is left to write is locked by others."""

LATE_SECONDS = 2.0
"""When nothing could be written for so long, nothing is claimed until something is."""

REASON = "endings wait"

SESSION = {**attempts.PLANS, "lock_timeout": f"{LOCK_SECONDS:g}s"}
NOT_DURABLE = {"synchronous_commit": "off"}

LOCKED, REFUSED = "running", "refused"
"""Stand for the state of a job whose row somebody holds, and of one whose ending the database does not take for now."""

UNSETTLED = (LOCKED, REFUSED)

UNSTORABLE = {
    "meaning": "PostgreSQL cannot store what the handler left; the attempt counts as failed",
    "do": "correct the handler's output",
}


class Finalizer:
    """Writes endings in batches; nothing it was given is forgotten before it is in the database.

    Args:
        dsn: The database.
        statements: SQL of the schema.
        incarnation: This executor, as it stands in ``attempted_by``.
        server_id: This host, for log lines.
        slots: Told how many endings wait.
        durable: Wait until the disk has what was written.
        recover: What to do first on each new connection.
        written: Called with each ending and the state its job reached, once it is in the database.
        backoff_of: Gives the retry policy of a kind.
    """

    def __init__(  # noqa: PLR0913 - the parts it joins
        self,
        *,
        dsn: str,
        statements: Statements,
        incarnation: str,
        server_id: str,
        slots: Slots,
        durable: bool,
        recover: Callable[[AsyncConnection[Any]], Awaitable[None]],
        written: Callable[[Ending, str], None],
        backoff_of: Callable[[str], RetryPolicy] = lambda _: RIVER_BACKOFF,
    ) -> None:
        self._dsn = dsn
        self._statements = statements
        self._incarnation = incarnation
        self._server_id = server_id
        self._slots = slots
        self._session = SESSION if durable else SESSION | NOT_DURABLE
        self._recover = recover
        self._written = written
        self._backoff_of = backoff_of
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._endings: dict[int, Ending] = {}
        self._refused = RefusedEndings(self._keep)
        self._loop = asyncio.get_running_loop()
        self._late: asyncio.TimerHandle | None = None
        self._behind = False
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def held(self) -> Sequence[ClaimedJob]:
        """The jobs whose endings are not written yet."""
        return [ending.job for ending in (*self._endings.values(), *self._refused.endings)]

    def add(self, ending: Ending) -> None:
        """Take an ending; it will be written."""
        older = self._endings.pop(ending.job.id, None) or self._refused.forget(ending.job.id)
        if older is not None:
            self._superseded(older)  # the job was claimed again, so there is nothing left for it to write
        self._keep(ending)

    def _keep(self, ending: Ending) -> None:
        self._endings[ending.job.id] = ending
        self._slots.unwritten_are(self._unwritten)
        self._empty.clear()
        self._wake.set()
        if self._late is None:
            self._late = self._loop.call_later(LATE_SECONDS, self._fall_behind)

    async def drain(self, limit: timedelta) -> int:
        """Wait until everything is written, at most ``limit``; return how many endings are left."""
        await happened(self._empty, within=limit.total_seconds())
        return self._unwritten

    @property
    def _unwritten(self) -> int:
        return len(self._endings) + len(self._refused.endings)

    async def run(self) -> None:
        """Write until cancelled, through any number of lost connections."""
        backoff = ReconnectWait(timedelta(seconds=0.1), timedelta(seconds=2))
        while True:
            try:
                name = "riverrun/executor/finalize"
                async with await connect(self._dsn, name=name, session=self._session, prepared=True) as conn:
                    await self._recover(conn)
                    while True:
                        await self._write_next(conn)
                        backoff.reset()
            except (DatabaseUnavailable, psycopg.Error) as error:
                seconds = backoff.next()
                metrics.db_failed("finalize")
                log.warning(
                    "finalize_failed",
                    extra={"waiting": self._unwritten, "error": first_line(error), "retry_in": seconds},
                )
                await asyncio.sleep(seconds)

    async def _write_next(self, conn: AsyncConnection[Any]) -> None:
        """Wait for endings and write one batch of them."""
        await self._wake.wait()
        if len(self._endings) < MAX_BATCH:
            await asyncio.sleep(LINGER_SECONDS)
        batch = list(itertools.islice(self._endings.values(), MAX_BATCH))
        started = time.perf_counter()
        states = await self._write(conn, batch)
        if len(states) < len(batch):
            states |= await self._own_ends(conn, [ending for ending in batch if ending.job.id not in states])
        metrics.completion_flush.observe(time.perf_counter() - started)
        metrics.completion_batch_jobs.observe(len(batch))
        if not self._settle(batch, states):
            await asyncio.sleep(LOCKED_SECONDS)

    async def _write(self, conn: AsyncConnection[Any], batch: Sequence[Ending]) -> dict[int, str]:
        """Write ``batch`` and return the state of each job that was still ours, by id.

        An ending that the database refuses must not take its neighbours down: the batch is halved until the one culprit
        is alone.
        """
        try:
            return await self._write_all(conn, batch)
        except psycopg.Error as error:
            if not is_about_a_row(error, conn):
                raise
            if len(batch) == 1:
                return await self._write_refused(conn, batch[0], error)
            half = len(batch) // 2
            return {**await self._write(conn, batch[:half]), **await self._write(conn, batch[half:])}

    async def _write_refused(self, conn: AsyncConnection[Any], ending: Ending, error: psycopg.Error) -> dict[int, str]:
        """Write an ending without what it wanted to store, if that was refused; else leave it for later."""
        said = first_line(error)  # the other lines may have the row, and with it the arguments
        if isinstance(error, VALUE_ERRORS):
            try:
                states = await self._write_all(conn, [_stripped(ending, said)])
            except psycopg.Error as again:
                if not is_about_a_row(again, conn):
                    raise
            else:
                fields = {**job_fields(ending.job, self._server_id), **UNSTORABLE}
                log.error("ending_refused", extra={**fields, "error": said})
                return states
        log.error("ending_put_off", extra={**job_fields(ending.job, self._server_id), "error": said})
        return {ending.job.id: REFUSED}

    async def _write_all(self, conn: AsyncConnection[Any], batch: Sequence[Ending]) -> dict[int, str]:
        plain: list[ClaimedJob] = []
        others: list[tuple[ClaimedJob, Finalization]] = []
        for ending in batch:
            if type(ending.outcome) is Completed and ending.notes_json is None:
                plain.append(ending.job)
            else:
                others.append((ending.job, self._finalization(ending)))
        states: dict[int, str] = {}
        if plain:
            done = await self._ask(conn, attempts.complete(plain, self._incarnation))
            states.update(dict.fromkeys(done, "completed"))
        if others:
            size = sum(len(final.error_json or "") + len(final.metadata_patch_json or "") for _, final in others)
            states.update(await self._ask(conn, attempts.finalize(others, self._incarnation), carries=size))
        return states

    def _finalization(self, ending: Ending) -> Finalization:
        """Return what changes in the row, the handler's notes included.

        An ending that cannot even be read must not keep its neighbours from being written.
        """
        try:
            return self._decided(ending)
        except Exception as error:
            log.exception("ending_refused", extra=job_fields(ending.job, self._server_id))
            return self._decided(_stripped(ending, type(error).__name__))

    def _decided(self, ending: Ending) -> Finalization:
        job, backoff = ending.job, self._backoff_of(ending.job.kind)
        final = decide(job, ending.outcome, rng=self._random, backoff=backoff)
        return with_notes(final, ending.notes_json)

    async def _own_ends(self, conn: AsyncConnection[Any], missing: Sequence[Ending]) -> dict[int, str]:
        """Return the state of each job that was not written because it is locked, or was written by us before.

        What the handler left is kept with a job that somebody else finalized meanwhile, as River does.
        """
        wanted = [(ending.job, self._finalization(ending)) for ending in missing]
        states = await self._ask(conn, attempts.own_end(wanted, self._incarnation))
        left = [
            (job, final.metadata_patch_json)
            for job, final in wanted
            if final.metadata_patch_json is not None and states.get(job.id) != LOCKED
        ]
        locked = await self._leave(conn, left) if left else set()
        return states | dict.fromkeys(locked, LOCKED)

    async def _leave(self, conn: AsyncConnection[Any], left: Sequence[tuple[ClaimedJob, str]]) -> set[int]:
        """Keep what attempts have left with jobs that others have ended; return those whose rows are locked now."""
        try:
            size = sum(len(patch) for _, patch in left)
            return await self._ask(conn, attempts.leave(left, self._incarnation), carries=size)
        except psycopg.Error as error:
            if not is_about_a_row(error, conn):
                raise
            if len(left) == 1:
                fields = {**job_fields(left[0][0], self._server_id), **UNSTORABLE}
                log.error("ending_refused", extra={**fields, "error": first_line(error)})
                return set()
            half = len(left) // 2
            return await self._leave(conn, left[:half]) | await self._leave(conn, left[half:])

    async def _ask(self, conn: AsyncConnection[Any], steps: Steps[T], *, carries: int = 0) -> T:
        """Run an operation that carries so many bytes, give or take; break the connection when it stays silent."""
        with deadline(conn, ANSWER_SECONDS + carries / SLOWEST):
            return await self._statements.run(conn, steps)

    def _settle(self, batch: Sequence[Ending], states: dict[int, str]) -> bool:
        """Forget what is written, keep what is locked or refused, say what was no longer ours.

        Returns:
            Whether there was anything but locked rows.
        """
        locked = 0
        for ending in batch:
            state = states.get(ending.job.id)
            current = self._endings.get(ending.job.id) is ending
            if current:
                del self._endings[ending.job.id]
            if state is None or state not in UNSETTLED:
                self._settled(ending, state)
            elif current and state == REFUSED:
                self._refused.add(ending)
            elif current:
                self._endings[ending.job.id] = ending  # behind the others
                locked += 1
        self._slots.unwritten_are(self._unwritten)
        if locked < len(batch):
            self._catch_up()
        if not self._endings:
            self._wake.clear()
            if not self._refused.endings:
                self._empty.set()
        return locked < len(batch)

    def _settled(self, ending: Ending, state: str | None) -> None:
        self._refused.forget(ending.job.id)
        if state is None:
            self._superseded(ending)
        else:
            self._written(ending, state)

    def _superseded(self, ending: Ending) -> None:
        metrics.attempts_superseded.labels(queue=ending.job.queue).inc()
        log.warning("attempt_superseded", extra=job_fields(ending.job, self._server_id))

    def _fall_behind(self) -> None:
        """Let nothing be claimed while nothing can be written: each job more would only have to run again."""
        self._behind = True
        self._slots.hold(REASON)
        log.error("endings_wait", extra={"waiting": len(self._endings), "seconds": LATE_SECONDS})

    def _catch_up(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
        if self._behind:
            self._behind = False
            self._slots.release(REASON)
            log.warning("endings_written", extra={"waiting": len(self._endings)})
        if self._endings:
            self._late = self._loop.call_later(LATE_SECONDS, self._fall_behind)


def _stripped(ending: Ending, reason: str) -> Ending:
    """Return an ending that stores nothing of what the handler said."""
    error = f"what the handler left could not be stored: {reason}"
    return Ending(ending.job, Failed(error=error, error_type="unstorable"), None, ending.seconds)
