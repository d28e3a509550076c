"""Obey and report: what changes while an executor runs, and what it tells beside outcomes, over one connection.

Once a second at most: progress of running jobs, what was learnt about services, events for subscribers, and the lease
where no supervisor renews it. Within two seconds: cancellations, slots set at run time, changes of the handler
registry, whether somebody subscribes. Every five: statistics, and claims whose answer was lost. Every minute: that this
queue is being worked on, and that long jobs are young, if a client of River leads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Any, Protocol

import psycopg
from psycopg import AsyncConnection

from riverrun.claimed_job import ClaimedJob
from riverrun.database.connect import connect, first_line
from riverrun.database.deadline import SLOWEST, deadline
from riverrun.database.statements import Statements, Steps
from riverrun.errors import DatabaseUnavailable
from riverrun.reconnect_wait import ReconnectWait
from riverrun.store import attempts, events, leases, queues
from riverrun.telemetry import metrics
from riverrun.waiting import happened

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
ANSWER_SECONDS = 5.0
"""The server gives a wait for a lock up after 3 s; a connection that is silent for longer is taken for dead."""
LAST_SECONDS = 5.0
"""So long may the last words take to be written when the executor stops."""
OBEY_EVERY, STATISTICS_EVERY, RECONCILE_EVERY, ANNOUNCE_EVERY = 1.5, 5.0, 5.0, 60.0
"""Changes are to be obeyed within two seconds; half a second is left for reading them."""
YOUNG = 6
"""A job is made to look young when it has run for so small a part of the time after which it is taken for stuck."""
LOST_AFTER = timedelta(seconds=2)
"""So much older than the claim that is on its way must a job be that no claim will bring any more."""


class Executor(Protocol):
    """What control needs of the executor it steers."""

    def running(self) -> Collection[int]:
        """Return the ids of the jobs that run."""

    def held(self) -> Collection[int]:
        """Return the ids of the jobs that run or whose endings are not written yet."""

    def claim_age(self) -> float:
        """Return for how many seconds the answer to a claim has been on its way; 0 when none is."""

    def running_for(self, seconds: float) -> Sequence[ClaimedJob]:
        """Return the jobs that have run for so long."""

    def cancel(self, job_id: int) -> None:
        """Stop a running job."""

    async def recover(self, conn: AsyncConnection[Any]) -> None:
        """Claim again what the server has lost."""

    def resize(self, max_workers: int | None) -> None:
        """Take the queue's slots on this host as set at run time; ``None``: as configured."""

    def take_notes(self, *, again: Collection[int]) -> Sequence[tuple[ClaimedJob, str]]:
        """Return what running handlers noted since the last call; those of the jobs ``again``: all of it."""

    def subscribed(self, wanted: bool) -> None:
        """Note whether somebody subscribes to events."""

    def take_events(self) -> Steps[None] | None:
        """Return what tells subscribers of attempts that ended since the last call; ``None`` when there are none."""

    def take_statistics(self) -> Steps[None] | None:
        """Return the write of the figures that no earlier one has written; ``None`` when there are none."""

    async def renew_own_lease(self, conn: AsyncConnection[Any]) -> None:
        """Renew the lease of an executor that has no supervisor."""

    async def reload_handlers(self, conn: AsyncConnection[Any]) -> None:
        """Read the registry of handlers again."""

    async def settle_services(self, conn: AsyncConnection[Any]) -> None:
        """Write what was learnt about services."""

    async def hear_callbacks(self, conn: AsyncConnection[Any]) -> None:
        """Look whether attempts whose service works on have ended."""


class Control:
    """Keeps one connection for everything that is neither claim nor finalize."""

    def __init__(  # noqa: PLR0913 - where it works, and as whom
        self,
        executor: Executor,
        *,
        dsn: str,
        statements: Statements,
        queue: str,
        server_id: str,
        incarnation: str,
        stuck_after: timedelta,
    ) -> None:
        self._executor = executor
        self._dsn = dsn
        self._statements = statements
        self._queue = queue
        self._server_id = server_id
        self._incarnation = incarnation
        self._old = stuck_after / YOUNG
        self._registry: int | None = None
        self._unwritten: Collection[int] = ()
        self._now = asyncio.Event()
        self._due: dict[Callable[[AsyncConnection[Any]], Any], tuple[float, float]] = {
            executor.renew_own_lease: (BEAT_SECONDS, 0.0),
            executor.settle_services: (0.0, 0.0),
            self._obey: (OBEY_EVERY, 0.0),
            self._look_for_subscribers: (OBEY_EVERY, 0.0),
            self._tell: (0.0, 0.0),
            self._report: (STATISTICS_EVERY, 0.0),
            self._reconcile: (RECONCILE_EVERY, time.monotonic() + RECONCILE_EVERY),
            self._announce: (ANNOUNCE_EVERY, 0.0),
            self._refresh: (min(ANNOUNCE_EVERY, self._old.total_seconds()), 0.0),
        }
        self.obeyed = asyncio.Event()

    def look_now(self) -> None:
        """Somebody said that something changed: look at once instead of at the next beat."""
        self._due[self._obey] = (OBEY_EVERY, 0.0)
        self._now.set()

    def write_soon(self) -> None:
        """Something is to be written: beat at once."""
        self._now.set()

    async def run(self) -> None:
        """Obey and report until cancelled, through any number of lost connections."""
        backoff = ReconnectWait(timedelta(seconds=0.2), timedelta(seconds=2))
        while True:
            try:
                name = f"riverrun/executor/{self._queue}/control"
                async with await connect(self._dsn, name=name, prepared=True) as conn:
                    await self._executor.recover(conn)
                    while True:
                        await self._beat(conn)
                        backoff.reset()
                        await self._rest()
            except (DatabaseUnavailable, psycopg.Error) as error:
                seconds = backoff.next()
                metrics.db_failed("control")
                log.warning(
                    "control_failed", extra={"queue": self._queue, "error": first_line(error), "retry_in": seconds}
                )
                await asyncio.sleep(seconds)

    async def last_words(self) -> None:
        """Write the figures gathered since the last beat and give back what nobody runs; at the end of a drain.

        A database that is away is not waited for: what was claimed is rescued when the lease has run out.
        """
        try:
            async with await connect(self._dsn, name=f"riverrun/executor/{self._queue}/control") as conn:
                with deadline(conn, LAST_SECONDS):
                    await self._say_last_words(conn)
        except (DatabaseUnavailable, psycopg.Error) as error:
            log.warning("last_words_lost", extra={"queue": self._queue, "error": first_line(error)})

    async def _say_last_words(self, conn: AsyncConnection[Any]) -> None:
        await self._tell(conn)
        await self._report(conn)
        await self._reconcile(conn, lost_after=timedelta())
        await self._statements.run(conn, leases.drop(self._incarnation))

    async def _beat(self, conn: AsyncConnection[Any]) -> None:
        now = time.monotonic()
        for task, (every, due) in list(self._due.items()):
            if now >= due:
                self._due[task] = (every, now + every)
                with deadline(conn, ANSWER_SECONDS):
                    await task(conn)
        await self._note(conn)

    async def _note(self, conn: AsyncConnection[Any]) -> None:
        """Write what running handlers have noted; what could not be written comes again with the next beat."""
        notes = self._executor.take_notes(again=self._unwritten)
        self._unwritten = {job.id for job, _ in notes}
        if not notes:
            return
        try:
            with deadline(conn, ANSWER_SECONDS + sum(len(patch) for _, patch in notes) / SLOWEST):
                self._unwritten = await self._statements.run(conn, self._noted(notes))
        except psycopg.Error as error:
            if conn.closed:
                raise
            log.warning("notes_refused", extra={"queue": self._queue, "error": first_line(error)})

    def _noted(self, notes: Sequence[tuple[ClaimedJob, str]]) -> Steps[set[int]]:
        """Write notes and return the jobs whose rows somebody holds just now."""
        written = yield from attempts.note(notes, self._incarnation)
        missing = [job for job, _ in notes if job.id not in written]
        lost = (yield from attempts.taken(missing, self._incarnation)) if missing else []
        return {job.id for job in missing} - {job.id for job in lost}

    async def _rest(self) -> None:
        next_due = min(due for every, due in self._due.values() if every)
        await happened(self._now, within=min(BEAT_SECONDS, max(0.0, next_due - time.monotonic())))
        self._now.clear()

    async def _obey(self, conn: AsyncConnection[Any]) -> None:
        steps = attempts.directives(self._queue, server_id=self._server_id, running=self._executor.running())
        directives = await self._statements.run(conn, steps)
        self._executor.resize(directives.max_workers)
        for job_id in directives.cancelled:
            self._executor.cancel(job_id)
        await self._executor.hear_callbacks(conn)
        if directives.registry != self._registry:
            await self._executor.reload_handlers(conn)
            self._registry = directives.registry
        self.obeyed.set()

    async def _look_for_subscribers(self, conn: AsyncConnection[Any]) -> None:
        self._executor.subscribed(await self._statements.run(conn, events.wanted()))

    async def _tell(self, conn: AsyncConnection[Any]) -> None:
        if told := self._executor.take_events():
            await self._statements.run(conn, told)

    async def _report(self, conn: AsyncConnection[Any]) -> None:
        steps = self._executor.take_statistics()
        if steps is not None:
            await self._statements.run(conn, steps)

    async def _reconcile(self, conn: AsyncConnection[Any], lost_after: timedelta = LOST_AFTER) -> None:
        """Give back jobs that are marked as ours although we do not hold them."""
        steps = attempts.release_unknown(
            self._queue,
            incarnation=self._incarnation,
            known=self._executor.held(),
            older_than=lost_after + timedelta(seconds=self._executor.claim_age()),
        )
        if released := await self._statements.run(conn, steps):
            log.warning("lost_claims_released", extra={"queue": self._queue, "jobs": len(released)})

    async def _announce(self, conn: AsyncConnection[Any]) -> None:
        await self._statements.run(conn, queues.announce(self._queue))

    async def _refresh(self, conn: AsyncConnection[Any]) -> None:
        """Keep long jobs from a client of River that leads: it would discard them, not knowing their kinds."""
        if old := self._executor.running_for(self._old.total_seconds()):
            await self._statements.run(conn, attempts.refresh(old, self._incarnation, older_than=self._old))
