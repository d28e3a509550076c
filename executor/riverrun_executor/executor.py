"""One executor: joins claim, run and finalize, which know nothing of each other, and steers them."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

from psycopg import AsyncConnection

from riverrun.claimed_job import ClaimedJob
from riverrun.database.statements import Statements, Steps
from riverrun.extensions import extensions, listeners
from riverrun.handlers import Handler, load_handlers
from riverrun.messages import Control as ControlMessage
from riverrun.messages import LeaseRenewed, Loaded, Running, Wake
from riverrun.resources import opened
from riverrun.role import RoleContext
from riverrun.store import attempts, leases, registry
from riverrun.tasks import end
from riverrun.telemetry import metrics
from riverrun.waiting import first_of
from riverrun_executor.children.pool import Children
from riverrun_executor.children.wire import Hello
from riverrun_executor.claimer import Claimer
from riverrun_executor.control import Control
from riverrun_executor.ending import Ending
from riverrun_executor.feed import Feed
from riverrun_executor.finalizer import Finalizer
from riverrun_executor.handlers.choose import Handlers, Transport
from riverrun_executor.handlers.isolated import IsolatedHandler
from riverrun_executor.handlers.local import LocalHandler
from riverrun_executor.handlers.services import Services
from riverrun_executor.lease import Lease
from riverrun_executor.outliving import Outliving
from riverrun_executor.recovery import Recovery
from riverrun_executor.runner import Runner
from riverrun_executor.slots import Slots
from riverrun_executor.sources import files_since
from riverrun_executor.statistics import Statistics

IDLE_SECONDS = 30
"""For so long an isolated executor waits for another job."""

FLUSH = timedelta(seconds=5)
"""How long the last endings may take to be written when the executor stops."""


log = logging.getLogger(__name__)

LOST = {
    "meaning": "handlers that ignore the end of their attempt hold half of the slots; another process takes over",
    "do": "let handlers give their waits a time limit, and let plain functions look at ctx.cancelled",
}


class Executor:
    """Claims jobs of one queue and runs them until it is told to stop.

        claimer ── ClaimedJob ──▶ runner ── Ending ──▶ finalizer ──▶ statistics
                     ▲ slots free ◀──┘

    Args:
        context: The process it lives in; its ``queue`` and ``slots`` say what to do.
    """

    def __init__(self, context: RoleContext, *, queue: str, slots: int) -> None:
        settings = context.settings
        self._context = context
        self._queue = queue
        self._configured = slots
        self._statements = Statements(settings.postgresql.schema_name)
        # A crash of an isolated executor is laid at the door of every job that it has not written to its end.
        self._slots = Slots(slots, most_unwritten=1) if context.isolated else Slots(slots)
        self._share = slots
        self._outliving = Outliving(self._fit)
        self._paused: list[str] = []
        self._services = Services(settings.handlers, self._services_changed)
        self._threads = ThreadPoolExecutor(max_workers=10_000, thread_name_prefix="handler")
        ours = frozenset(sys.modules)
        self._local = load_handlers(settings.handlers.modules, settings.handlers.path)
        self._sources = files_since(ours)
        self._children = Children(self._hello(), most_idle=os.cpu_count() or 1)
        self._announced = False
        self._handlers = Handlers(
            {kind: self._transport(handler) for kind, handler in self._local.items()},
            connect=self._services.connect,
        )
        self._statistics = Statistics(settings.server_id)
        self._feed = Feed(listeners())
        self._recovery = self._new_recovery()
        self._finalizer = self._new_finalizer()
        self._lease = Lease(slots=self._slots, lost=lambda: self._runner.interrupt())  # noqa: PLW0108 - made below
        self._runner = self._new_runner()
        self._claimer = self._new_claimer()
        self._control = self._new_control()

    async def run(self) -> None:
        """Work until the process is told to drain; then finish, in the order in which jobs flow.

        Raises:
            ExceptionGroup: A part broke in a way that nobody expected; the process must not go on without it.
        """
        self._context.pipe.on(Wake, self._on_wake)
        self._context.pipe.on(LeaseRenewed, lambda message: self._lease.renew(message.until))
        self._context.pipe.on(ControlMessage, lambda _: self._control.look_now())
        self._context.pipe.send(Loaded(self._sources))
        here = [handler for handler in self._local.values() if not handler.isolated]
        try:
            async with opened(each for handler in here for each in handler.resources), asyncio.TaskGroup() as parts:
                steering = [
                    parts.create_task(self._finalizer.run(), name="finalizer"),
                    parts.create_task(self._control.run(), name="control"),
                    parts.create_task(self._lease.run(), name="lease"),
                    parts.create_task(self._say_what_runs(), name="running"),
                    parts.create_task(self._services.watch(), name="health of services"),
                ]
                await first_of(self._control.obeyed, self._context.draining)
                claiming = parts.create_task(self._claimer.run(), name="claimer")
                self._context.ready()
                await self._context.draining.wait()
                await self._drain(claiming)
                await end(steering)
        finally:
            await self._services.close()
            await self._children.close()

    @property
    def threads_left_behind(self) -> bool:
        """True when a plain function has outlived its attempt: the process must not wait for its thread."""
        return self._outliving.count > 0

    def running(self) -> Collection[int]:
        """Return the ids of the jobs that run."""
        return self._runner.running

    def held(self) -> Collection[int]:
        """Return the ids of the jobs that run or whose endings are not written yet."""
        return {job.id for job in self._held()}

    def claim_age(self) -> float:
        """Return for how many seconds the answer to a claim has been on its way; 0 when none is."""
        return self._claimer.age

    def running_for(self, seconds: float) -> Sequence[ClaimedJob]:
        """Return the jobs that have run for so long."""
        since = time.monotonic() - seconds
        return [running.job for running in self._runner.running.values() if running.started <= since]

    def cancel(self, job_id: int) -> None:
        """Stop a running job."""
        self._runner.cancel(job_id)

    async def recover(self, conn: AsyncConnection[Any]) -> None:
        """Claim again what the server has lost, and stop the handlers of jobs that others have got meanwhile."""
        await self._recovery.recover(conn)

    def resize(self, max_workers: int | None) -> None:
        """Take the queue's slots on this host as set at run time; ``None``: as configured."""
        if self._context.isolated:
            return
        self._share = self._context.share_of(max_workers) if max_workers is not None else self._configured
        self._slots.resize(self._share - self._outliving.count)
        metrics.executor_slots.labels(queue=self._queue).set(self._share)
        metrics.executor_busy.labels(queue=self._queue).set(self._slots.running)

    async def renew_own_lease(self, conn: AsyncConnection[Any]) -> None:
        """Do what a supervisor would do, when there is none."""
        if self._context.pipe.is_open:
            return
        me = leases.LivingExecutor(self._context.incarnation, self._queue, self._slots.capacity, os.getpid())
        asked = time.monotonic()
        await self._statements.run(conn, leases.renew_own(me, server_id=self._context.server_id))
        self._lease.renew(asked + (leases.LEASE - leases.LEASE_MARGIN).total_seconds())

    def take_notes(self, *, again: Collection[int]) -> Sequence[tuple[ClaimedJob, str]]:
        """Return what running handlers noted since the last call; those of the jobs ``again``: all of it."""
        return self._runner.take_notes(again=again)

    def subscribed(self, wanted: bool) -> None:
        """Note whether somebody subscribes to events."""
        self._feed.subscribed(wanted)

    def take_events(self) -> Steps[None] | None:
        """Return what tells subscribers of attempts that ended since the last call; ``None`` when there are none."""
        return self._feed.take()

    def take_statistics(self) -> Steps[None] | None:
        """Return the write of the figures that no earlier one has written; ``None`` when there are none."""
        return self._statistics.take()

    async def reload_handlers(self, conn: AsyncConnection[Any]) -> None:
        """Read the registry of handlers again; the first time, make our own functions known there."""
        if not self._announced:
            schemas = {kind: handler.args_schema for kind, handler in self._local.items()}
            await self._statements.run(conn, registry.announce(schemas))
            self._announced = True
        registered = await self._statements.run(conn, registry.handlers())
        credentials = await self._statements.run(conn, registry.credentials())
        self._paused = [handler.kind for handler in registered if handler.paused_at is not None]
        self._services.learn(registered, credentials)
        self._handlers.use(registered)

    async def settle_services(self, conn: AsyncConnection[Any]) -> None:
        """Write what was learnt about services, and ask whether one that is left alone may be tried."""
        await self._services.settle(partial(self._statements.run, conn))

    async def hear_callbacks(self, conn: AsyncConnection[Any]) -> None:
        """Look whether attempts whose service works on have ended; their ends are written already."""
        for job, seen in await self._services.hear(partial(self._statements.run, conn)):
            if seen.state == "running":
                self._runner.revoke(job)  # another attempt of it runs
            elif (ending := self._runner.drop(job, seen.outcome)) is not None:
                self._written(ending, seen.state)

    def _held(self) -> list[ClaimedJob]:
        return [*(running.job for running in self._runner.running.values()), *self._finalizer.held]

    def _new_recovery(self) -> Recovery:
        return Recovery(
            statements=self._statements,
            queue=self._queue,
            incarnation=self._context.incarnation,
            held=self._held,
            revoke=lambda job: self._runner.revoke(job),  # noqa: PLW0108 - made after this
        )

    def _new_finalizer(self) -> Finalizer:
        settings = self._context.settings
        return Finalizer(
            dsn=settings.dsn(),
            statements=self._statements,
            incarnation=self._context.incarnation,
            server_id=settings.server_id,
            slots=self._slots,
            durable=settings.river.durable_finalize,
            recover=self._recovery.recover,
            written=self._written,
            backoff_of=self._handlers.backoff,
        )

    def _new_runner(self) -> Runner:
        settings = self._context.settings
        return Runner(
            handlers=self._handlers,
            slots=self._slots,
            statements=self._statements,
            incarnation=self._context.incarnation,
            server_id=settings.server_id,
            default_timeout=settings.river.job_timeout,
            may_start=lambda: self._lease.holds,
            outliving=self._outliving,
            started=self._tell_running,
            room_came_free=lambda: self._claimer.room_came_free(),  # noqa: PLW0108 - made after this
            extensions=extensions(),
            ended=self._finalizer.add,
        )

    def _new_claimer(self) -> Claimer:
        settings = self._context.settings
        return Claimer(
            dsn=settings.dsn(),
            statements=self._statements,
            queue=self._queue,
            incarnation=self._context.incarnation,
            slots=self._slots,
            poll_interval=settings.river.poll_interval,
            start=self._runner.start,
            may_claim=self._recovery.may_claim,
            claim=attempts.claim_isolated if self._context.isolated else attempts.claim,
            rooms=self._runner.rooms,
        )

    def _new_control(self) -> Control:
        settings = self._context.settings
        return Control(
            self,
            dsn=settings.dsn(),
            statements=self._statements,
            queue=self._queue,
            server_id=settings.server_id,
            incarnation=self._context.incarnation,
            stuck_after=settings.river.rescue_stuck_jobs_after,
        )

    def _services_changed(self) -> None:
        self._claimer.kinds_left_out = [*self._paused, *self._services.left_out]
        self._claimer.wake()
        self._control.write_soon()

    def _transport(self, handler: Handler) -> Transport:
        if handler.isolated:
            return IsolatedHandler(handler, self._children)
        return LocalHandler(handler, self._threads, self._outliving)

    def _hello(self) -> Hello:
        settings = self._context.settings
        return Hello(
            modules=tuple(settings.handlers.modules),
            path=tuple(map(str, settings.handlers.path)),
            schema=settings.postgresql.schema_name,
            server_id=settings.server_id,
            incarnation=self._context.incarnation,
            log_level=logging.getLogger().getEffectiveLevel(),
        )

    async def _drain(self, claiming: asyncio.Task[None]) -> None:
        river = self._context.settings.river
        await self._claimer.stop()
        await claiming
        await self._runner.drain(wait=river.shutdown_wait, cancel=river.shutdown_cancel, hurry=self._context.hurrying)
        if await self._finalizer.drain(FLUSH) == 0:
            await self._control.last_words()

    def _tell_running(self, running: Running) -> None:
        self._context.pipe.send(running)

    async def _say_what_runs(self) -> None:
        """Let the supervisor know what runs; leave when this executor is for isolated jobs and has none any more."""
        idle = 0
        while True:
            self._tell_running(self._runner.report())
            await asyncio.sleep(1)
            idle = 0 if self.held() else idle + 1
            if self._context.isolated and idle >= IDLE_SECONDS:
                self._context.draining.set()

    def _on_wake(self, message: Wake) -> None:
        if message.queue in {"*", self._queue}:
            self._claimer.wake()

    def _written(self, ending: Ending, state: str) -> None:
        self._context.progress += 1
        self._statistics.count(ending, state)
        if self._feed.open:
            self._feed.add(ending, state)

    def _fit(self) -> None:
        """Keep the slots of attempts whose handlers go on; when half are lost, let a new process take over."""
        lost = self._outliving.count
        self._slots.resize(self._share - lost)
        metrics.executor_abandoned.labels(queue=self._queue).set(lost)
        if lost * 2 >= self._configured and self._context.pipe.is_open:
            if not self._context.draining.is_set():
                log.error("slots_lost", extra={"queue": self._queue, "lost": lost, **LOST})
            self._context.draining.set()
