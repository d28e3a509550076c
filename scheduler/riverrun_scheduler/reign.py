"""What a leader does with its term: a pulse a second, and between two pulses the services, step by step.

A step is one bounded piece of work (see ``session`` for the bound); a pulse that is due goes before the next step, so
that a leader with much to do is never taken for a dead one. A service that fails rests for a while and does not stop
the others.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Protocol

import psycopg
from psycopg.errors import LockNotAvailable, QueryCanceled

from riverrun.database.connect import first_line
from riverrun.role import RoleContext
from riverrun.store import leader, river_leader
from riverrun.store.leader import Pulse
from riverrun.tasks import unless
from riverrun.telemetry import metrics
from riverrun_scheduler.cleaner import Cleaner
from riverrun_scheduler.gauges import Gauges
from riverrun_scheduler.horizon import Horizon
from riverrun_scheduler.notifier import Notifier
from riverrun_scheduler.promoter import Promoter
from riverrun_scheduler.reindexer import Reindexer
from riverrun_scheduler.rescuer import Rescuer
from riverrun_scheduler.resumer import Resumer
from riverrun_scheduler.river_leader import RiverLeadership
from riverrun_scheduler.schedules import Schedules
from riverrun_scheduler.statistics import Statistics
from riverrun_scheduler.term import PULSE_SECONDS, Term

log = logging.getLogger(__name__)

SHORTEST_REST, REST_AFTER_ERROR = 0.1, 5.0
LOCKED = {
    "meaning": "somebody has locked a table of the queue; what the leader does waits, and it stays the leader",
    "do": "find who holds the lock (pg_locks) and let that session end",
}


SLOW = {
    "meaning": "a look at the tables took too long; what the leader does was held up, and the next looks are shorter",
    "do": "`queuectl doctor` says whether an old transaction keeps VACUUM from removing dead rows; let it end",
}


class Service(Protocol):
    """One thing that only a leader does."""

    async def step(self, pulse: Pulse) -> bool:
        """Do one bounded piece of work; return whether there is more to do right now."""


class Reign:
    """The services of one term, and the order in which they get their turns."""

    def __init__(self, term: Term, context: RoleContext) -> None:
        self._term = term
        self._context = context
        self._leaving = context.draining
        self._river = RiverLeadership(term)
        self._schedules = Schedules(term)
        self._gauges = Gauges(term)
        self._horizon = Horizon(term)
        self._notifier = Notifier(term)
        self._reindexer = Reindexer(term, self._river)
        self._services: tuple[Service, ...] = (
            self._river,
            self._schedules,
            Rescuer(term, self._river),
            Promoter(term, self._river),
            Cleaner(term, self._river),
            Resumer(term),
            Statistics(term),
            self._gauges,
            self._horizon,
            self._notifier,
            self._reindexer,
        )
        self._resting: dict[Service, float] = {}
        self._holds_out = False

    async def run(self) -> None:
        """Reign until the process shall drain or the term is over.

        Raises:
            TermOver: Somebody else leads, or may lead by now.
            psycopg.Error: The connection is lost.
        """
        metrics.leader.set(1)
        while not self._leaving.is_set():
            self._context.reread_if_asked()
            try:
                pulse = await self._term.pulse()
            except (LockNotAvailable, QueryCanceled) as error:
                await self._hold_out(error)
            else:
                self._holds_out = False
                await self._work(pulse)

    async def end(self) -> None:
        """Hand over, unless the connection is lost, and take the figures of a leader out of the metrics."""
        metrics.leader.set(0)
        self._schedules.clear()
        self._gauges.clear()
        self._horizon.clear()
        await self._notifier.close()
        if not self._term.session.closed:
            await self._resign()
        await self._reindexer.close()

    async def _resign(self) -> None:
        with suppress(psycopg.Error, TimeoutError):
            # Also a row that was taken by a statement whose answer the stop has cut off.
            await self._term.session.run(river_leader.resign(self._term.leader_id), within=1.0)
            await self._term.session.run(leader.resign(self._term.generation), within=1.0)

    @property
    def _must_pause(self) -> bool:
        """Whether a pulse is due or the process shall drain."""
        return self._term.until_pulse <= 0 or self._leaving.is_set()

    async def _hold_out(self, error: LockNotAvailable | QueryCanceled) -> None:
        """Stay the leader; the next pulse waits for the lock again, or looks at less."""
        if isinstance(error, QueryCanceled):
            log.warning("leader_slowed_down", extra={"error": first_line(error), **SLOW})
        elif not self._holds_out:
            log.warning("leader_locked_out", extra={"error": first_line(error), **LOCKED})
        self._holds_out = True
        await self._term.beat()

    async def _work(self, pulse: Pulse) -> None:
        """Give the services turn after turn until the next pulse is due; rest when none has more to do."""
        while await self._turn(pulse):
            if self._must_pause:
                return
        await self._rest(pulse)

    async def _turn(self, pulse: Pulse) -> bool:
        """Give each service one step; return whether one of them has more to do."""
        busy = False
        for service in self._services:
            if self._must_pause:
                return True
            if self._resting.get(service, 0.0) <= time.monotonic():
                busy = await self._step(service, pulse) or busy
        return busy

    async def _step(self, service: Service, pulse: Pulse) -> bool:
        try:
            return await service.step(pulse)
        except psycopg.Error as error:
            if self._term.session.closed:
                raise
            metrics.db_failed("upkeep")
            fields = {
                "service": type(service).__name__.lower(),
                "error": first_line(error),
                "retry_in": REST_AFTER_ERROR,
            }
            log.warning("service_failed", extra=fields)
            self._resting[service] = time.monotonic() + REST_AFTER_ERROR
            return False

    async def _rest(self, pulse: Pulse) -> None:
        """Wait for the next pulse; a shorter while when something is due before it or River's leadership changes."""
        rest = self._term.until_pulse
        for due in (pulse.soonest_due, self._schedules.next_at):
            if due is not None and due > pulse.now:
                rest = min(rest, (due - pulse.now).total_seconds() + self._term.until_pulse - PULSE_SECONDS)
        notify = await unless(self._leaving, self._term.session.rest(max(rest, SHORTEST_REST)))
        if notify is not None:
            await self._river.hear(notify)
