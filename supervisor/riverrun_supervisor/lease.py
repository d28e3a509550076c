"""Shows the fleet that this host and its executors live, and takes the jobs of a dead one back at once.

The supervisor does this, not the executor: a handler that holds the interpreter for a minute must not look dead.

    at the start     what a killed predecessor left behind is taken back, once it is certain that it does not live
    all the time     the session holds the host's lock, which is free the moment this process is killed
    every second     one statement renews the server's row and every living executor's lease for another 10 s
    executor ended   its running jobs are taken back, its lease is dropped; a job that crashes its processes is isolated

What cannot be written while the database is away is written when it is back; a lease that ran out meanwhile lets the
leader do the same from another host.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import psycopg
from psycopg import AsyncConnection

from riverrun.database.connect import connect, first_line
from riverrun.database.deadline import deadline
from riverrun.database.statements import Statements, Steps
from riverrun.errors import Conflict, DatabaseUnavailable
from riverrun.reconnect_wait import ReconnectWait
from riverrun.store import leases, registry
from riverrun.store.rescue import RescuedJob
from riverrun.telemetry import metrics
from riverrun.telemetry.rescues import tell

log = logging.getLogger(__name__)

RENEW_SECONDS = 1.0
LOOK_SECONDS = 10.0

QUARANTINED = {
    "meaning": "the job has ended three processes, the last one while it ran alone",
    "do": "read how the process ended in the errors of the job; retry the job when its cause is gone",
}
PAUSED = {
    "meaning": "more than five jobs of this kind were quarantined within ten minutes",
    "do": "mend the handler, then `queuectl handler resume` with the kind",
}
STATEMENT_SECONDS = 5.0
LIMITS = {"lock_timeout": "1s"}
"""The next renewal must not come late because somebody has locked the jobs."""

Connection = AsyncConnection[tuple[object, ...]]
T = TypeVar("T")


class Lease:
    """Renews the lease of this host; ``run`` does so until it is cancelled.

    Args:
        executors: Returns the executors that live right now.
        isolate: Called with a queue in which a job waits for an isolated executor.
        renewed: Called with executors and the time, by the monotonic clock, until which each may rely on its lease.
    """

    def __init__(
        self,
        dsn: str,
        schema: str | None,
        *,
        server: leases.Server,
        executors: Callable[[], Sequence[leases.LivingExecutor]],
        renewed: Callable[[Sequence[leases.LivingExecutor], float], None],
        isolate: Callable[[str], None],
    ) -> None:
        self._dsn = dsn
        self._statements = Statements(schema)
        self._server = server
        self._executors = executors
        self._renewed = renewed
        self._isolate = isolate
        self._look_at = 0.0
        self._ended: dict[str, leases.Death] = {}
        self._news = asyncio.Event()

    def ended(self, incarnation: str, death: leases.Death) -> None:
        """Take back what an executor has left, and forget it."""
        self._ended[incarnation] = death
        self._news.set()

    async def take_over(self, killed: int | None = None) -> None:
        """Take back what an earlier supervisor of this server left behind when it was killed.

        Waits for a database that cannot be reached.

        Args:
            killed: Process id of a supervisor of this server that is known to have ended on this machine.

        Raises:
            Conflict: Another host uses the same server id right now.
        """
        backoff = ReconnectWait(timedelta(seconds=0.2), timedelta(seconds=RENEW_SECONDS))
        while True:
            try:
                return await self._take_over(killed)
            except (psycopg.Error, DatabaseUnavailable, TimeoutError) as error:
                await _wait(backoff, error)

    async def _take_over(self, killed: int | None) -> None:
        async with await self._connect() as conn:
            last = await self._run(conn, leases.last_heard(self._server.server_id))
            if last is None or last.silent > leases.LEASE:
                return  # nobody, or so long ago that the leader has seen to it
            known = (last.host, last.pid) == (self._server.host, killed)
            if not (known and await self._run(conn, leases.hold(self._server.server_id))):
                await self._refuse_a_living(conn, last)
            for incarnation in await self._run(conn, leases.left_behind(self._server.server_id)):
                reason = "executor died: its supervisor was killed"
                for job in await self._run(conn, leases.release_incarnation(incarnation, reason=reason)):
                    tell(job, executor=incarnation, reason=reason)

    async def _refuse_a_living(self, conn: Connection, last: leases.LastHeard) -> None:
        """Wait for so long that one who lives must be heard of again."""
        await asyncio.sleep(RENEW_SECONDS + 0.5)
        now = await self._run(conn, leases.last_heard(self._server.server_id))
        if now is not None and now.silent < last.silent + timedelta(seconds=RENEW_SECONDS):
            raise Conflict(
                f"server_id {self._server.server_id} is in use by process {now.pid} on {now.host}; "
                "give each host of the fleet a server_id of its own"
            )

    async def run(self) -> None:
        """Renew, and settle what has ended, for ever; reconnect with backoff."""
        backoff = ReconnectWait(timedelta(seconds=0.2), timedelta(seconds=RENEW_SECONDS))
        while True:
            try:
                async with await self._connect() as conn:
                    await self._keep(conn, backoff)
            except (psycopg.Error, DatabaseUnavailable, TimeoutError) as error:
                await _wait(backoff, error)

    async def close(self) -> None:
        """Settle what is left and say that this server has stopped; gives up after a few seconds."""
        try:
            async with asyncio.timeout(STATEMENT_SECONDS), await self._connect() as conn:
                await self._settle(conn)
                await self._run(conn, leases.forget_server(self._server.server_id, pid=self._server.pid))
        except (psycopg.Error, DatabaseUnavailable, TimeoutError) as error:
            log.warning("server_not_forgotten", extra={"error": first_line(error)})

    async def _keep(self, conn: Connection, backoff: ReconnectWait) -> None:
        holds = False
        while True:
            self._news.clear()
            holds = holds or await self._run(conn, leases.hold(self._server.server_id))
            await self._renew(conn)
            await self._see_to_jobs(conn)
            backoff.reset()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RENEW_SECONDS):
                    await self._news.wait()

    async def _renew(self, conn: Connection) -> None:
        executors, asked = self._executors(), time.monotonic()
        await self._run(conn, leases.renew(self._server, executors))
        # From before the question was sent: the lease began when it arrived, which cannot be known here.
        self._renewed(executors, asked + (leases.LEASE - leases.LEASE_MARGIN).total_seconds())

    async def _see_to_jobs(self, conn: Connection) -> None:
        """Settle what has ended; jobs that are locked wait, since those who live must be renewed in time."""
        try:
            await self._settle(conn)
            await self._look_for_isolated(conn)
        except psycopg.errors.LockNotAvailable as error:
            log.warning("jobs_not_taken_back", extra={"error": first_line(error)})

    async def _settle(self, conn: Connection) -> None:
        for incarnation, death in list(self._ended.items()):
            rescued, done = await self._run(conn, leases.settle(incarnation, death))
            if done:
                del self._ended[incarnation]
            for job in rescued:
                tell(job, executor=incarnation, reason=death.reason)
                if job.state == "pending":
                    self._isolate(job.queue)
                elif job.state == "discarded" and death.alone and death.counts:
                    await self._quarantined(conn, job)

    async def _quarantined(self, conn: Connection, job: RescuedJob) -> None:
        metrics.jobs_quarantined.labels(queue=job.queue, kind=job.kind).inc()
        fields = {"job_id": job.id, "kind": job.kind, "queue": job.queue, "attempt": job.attempt}
        log.error("job_quarantined", extra={**fields, **QUARANTINED})
        if await self._run(conn, registry.pause_crashing(job.kind)):
            metrics.kinds_paused.labels(kind=job.kind).inc()
            log.error("kind_paused", extra={"kind": job.kind, **PAUSED})

    async def _look_for_isolated(self, conn: Connection) -> None:
        """Find jobs that were isolated on a host that is gone, or before this daemon was started."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        queues = {executor.queue for executor in self._executors()}
        for queue in await self._run(conn, leases.isolated_queues(queues)):
            self._isolate(queue)

    async def _connect(self) -> Connection:
        return await connect(self._dsn, name="riverrun/supervisor/lease", session=LIMITS, prepared=True)

    async def _run(self, conn: Connection, steps: Steps[T]) -> T:
        """Run one operation; a connection that does not answer is given up."""
        with deadline(conn, STATEMENT_SECONDS):
            return await self._statements.run(conn, steps)


async def _wait(backoff: ReconnectWait, error: BaseException) -> None:
    seconds = backoff.next()
    metrics.db_failed("lease")
    log.warning("lease_not_renewed", extra={"error": first_line(error), "retry_in": seconds})
    await asyncio.sleep(seconds)
