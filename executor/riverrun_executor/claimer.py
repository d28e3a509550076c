"""Claim: keep the slots filled with the best jobs of one queue."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection

from riverrun.backoff import Backoff
from riverrun.claimed_job import ClaimedJob
from riverrun.database.connect import connect, first_line
from riverrun.database.statements import Statements
from riverrun.errors import DatabaseUnavailable
from riverrun.store import attempts
from riverrun.telemetry import metrics
from riverrun_executor.slots import Slots

log = logging.getLogger(__name__)

MAX_CLAIM = 300
"""Jobs of one claim: more are no faster and delay the first of them."""

# A lost claim only makes its jobs available again, so its commit need not reach the disk first; and the plans must be
# the ones the statements were written for, whatever the statistics of a table that was just filled say.
CLAIM_SESSION = {"synchronous_commit": "off", "statement_timeout": "3s", "enable_seqscan": "off"}


class Claimer:
    """Claims jobs of one queue whenever there is room, and hands each to ``start``.

    Args:
        dsn: The database.
        statements: SQL of the schema.
        queue: The queue.
        incarnation: This executor, as it stands in ``attempted_by``.
        slots: Room for jobs.
        poll_interval: How often to look when nobody wakes us.
        start: Takes a claimed job; called without waiting.
    """

    def __init__(  # noqa: PLR0913 - the parts it joins
        self,
        *,
        dsn: str,
        statements: Statements,
        queue: str,
        incarnation: str,
        slots: Slots,
        poll_interval: timedelta,
        start: Callable[[ClaimedJob], None],
    ) -> None:
        self._dsn = dsn
        self._statements = statements
        self._queue = queue
        self._incarnation = incarnation
        self._slots = slots
        self._poll_seconds = poll_interval.total_seconds()
        self._start = start
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()

    def wake(self) -> None:
        """Look for jobs now: somebody said that there are some."""
        self._wake.set()

    async def stop(self) -> None:
        """Claim no more; a claim that is on its way is waited for, so that no job is claimed by nobody."""
        self._stopping.set()
        self._slots.close()
        self._wake.set()
        await self._stopped.wait()

    async def run(self) -> None:
        """Claim until stopped, through any number of lost connections."""
        backoff = Backoff(timedelta(seconds=0.2), timedelta(seconds=5))
        while not self._stopping.is_set():
            try:
                await self._claim_on_one_connection(backoff)
            except (DatabaseUnavailable, psycopg.Error) as error:
                seconds = backoff.next()
                metrics.db_errors.labels(kind="claim").inc()
                log.warning(
                    "claim_failed", extra={"queue": self._queue, "error": first_line(error), "retry_in": seconds}
                )
                await _until(self._stopping, seconds)
        self._stopped.set()

    async def _claim_on_one_connection(self, backoff: Backoff) -> None:
        name = f"riverrun/executor/{self._queue}/claim"
        async with await connect(self._dsn, name=name, session=CLAIM_SESSION, prepared=True) as conn:
            while not self._stopping.is_set():
                wanted = min(await self._slots.wait_free(), MAX_CLAIM)
                if wanted and await self._claim(conn, wanted) < wanted:
                    await self._rest()
                backoff.reset()

    async def _claim(self, conn: AsyncConnection[Any], wanted: int) -> int:
        self._wake.clear()
        started = time.perf_counter()
        steps = attempts.claim(self._queue, slots=wanted, incarnation=self._incarnation)
        jobs = await self._statements.run(conn, steps)
        metrics.fetch_duration.labels(queue=self._queue).observe(time.perf_counter() - started)
        metrics.fetch_jobs.labels(queue=self._queue).observe(len(jobs))
        for job in jobs:
            self._start(job)
        return len(jobs)

    async def _rest(self) -> None:
        """Wait until somebody wakes us or it is time to look again; the times of a fleet drift apart."""
        await _until(self._wake, self._poll_seconds * random.uniform(1.0, 1.1))  # noqa: S311 - spreads load only


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Wait for ``event``, at most ``seconds``."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
