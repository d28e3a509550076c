"""Finalize: write how attempts ended, many in one statement, until the database has them."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection

from riverrun.claimed_job import ClaimedJob
from riverrun.database.connect import connect, first_line
from riverrun.database.statements import Statements
from riverrun.errors import DatabaseUnavailable
from riverrun.job_log import job_fields
from riverrun.reconnect_wait import ReconnectWait
from riverrun.retry import RIVER_BACKOFF, RetryPolicy
from riverrun.store import attempts
from riverrun.telemetry import metrics
from riverrun.waiting import happened
from riverrun_executor.ending import Ending
from riverrun_executor.ending_writer import LOCK_SECONDS, LOCKED, REFUSED, EndingWriter
from riverrun_executor.refused import RefusedEndings
from riverrun_executor.slots import Slots

log = logging.getLogger(__name__)

MAX_BATCH = 500
LINGER_SECONDS = 0.002
"""How long the first ending of a batch waits for its neighbours."""

LOCKED_SECONDS = 0.05
"""Pause when all that is left to write is locked by others."""

LATE_SECONDS = 2.0
"""When nothing could be written for so long, nothing is claimed until something is."""

REASON = "endings wait"

SESSION = {**attempts.PLANS, "lock_timeout": f"{LOCK_SECONDS:g}s"}
NOT_DURABLE = {"synchronous_commit": "off"}

UNSETTLED = (LOCKED, REFUSED)


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
        self._server_id = server_id
        self._slots = slots
        self._session = SESSION if durable else SESSION | NOT_DURABLE
        self._recover = recover
        self._written = written
        self._writer = EndingWriter(
            statements=statements, incarnation=incarnation, server_id=server_id, backoff_of=backoff_of
        )
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
        states = await self._writer.write(conn, batch)
        metrics.completion_flush.observe(time.perf_counter() - started)
        metrics.completion_batch_jobs.observe(len(batch))
        if not self._settle(batch, states):
            await asyncio.sleep(LOCKED_SECONDS)

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
