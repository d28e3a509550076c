"""Enqueues jobs by the clock: each tick of each schedule exactly once, whoever leads.

Ticks follow from the schedule's row and the database's clock; nothing of it is kept in memory that another leader
would miss. One statement enqueues a job, remembers its tick and moves ``last_tick``, also past ticks that are left out,
and does nothing when the row is not as it was read.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from riverrun.cron_grammar import Expression, parse_expression
from riverrun.database.connect import first_line
from riverrun.errors import InvalidInput
from riverrun.schedule import NewSchedule, Schedule, new_schedule
from riverrun.settings.schema import Settings
from riverrun.store import registry, schedules
from riverrun.store.leader import Pulse
from riverrun.telemetry import metrics
from riverrun_scheduler.missed import ticks_to_enqueue
from riverrun_scheduler.term import Term

log = logging.getLogger(__name__)

RETRY = timedelta(seconds=5)
TAKEN = {
    "meaning": "somebody made a schedule of this name through the API",
    "do": "delete that one, or give the one in the configuration another name",
}


@dataclass(slots=True)
class Clock:
    """A schedule as it was read, and the first tick that was not looked at yet.

    Attributes:
        starts: Whether a job is due at once, because this term has just met the schedule.
        retry_at: When its ticks are tried again, while they could not be enqueued.
    """

    schedule: Schedule
    expression: Expression
    since: datetime
    next_tick: datetime
    starts: bool = False
    retry_at: datetime | None = None

    @property
    def due(self) -> datetime:
        """When to look at it next; one that starts is looked at even before."""
        return self.retry_at or self.next_tick

    def is_due(self, now: datetime) -> bool:
        """Return whether there is something to enqueue."""
        return self.due <= now or (self.starts and self.retry_at is None)


class Schedules:
    """Enqueues the ticks of all schedules during one term."""

    def __init__(self, term: Term) -> None:
        self._term = term
        self._configured: Settings | None = None
        self._fingerprint: int | None = None
        self._clocks: dict[str, Clock] = {}
        self._met: set[str] = set()

    @property
    def next_at(self) -> datetime | None:
        """When the next tick is due, or tried again."""
        return min((clock.due for clock in self._clocks.values()), default=None)

    async def step(self, pulse: Pulse) -> bool:
        """Take over what has changed; enqueue the ticks of one schedule that is due."""
        if self._configured is not self._term.settings:
            await self._synchronize(self._term.settings)
            return True
        if self._fingerprint is None or self._fingerprint != pulse.schedules:
            await self._load(pulse.schedules)
        due = [clock for clock in self._clocks.values() if clock.is_due(pulse.now)]
        if due:
            await self._enqueue(min(due, key=lambda clock: clock.due), pulse.now)
        return len(due) > 1

    def clear(self) -> None:
        """Take the figures of schedules out of the metrics."""
        for gauge in (metrics.schedule_lag, metrics.schedule_next_run):
            gauge.clear()

    async def _synchronize(self, settings: Settings) -> None:
        """Make the schedules of the configuration the ones in the database."""
        changes = await self._term.run(schedules.synchronize(self._term.generation, list(configured(settings))))
        for name, change in changes.items():
            if change == "taken":
                log.error("schedule_ignored", extra={"schedule": name, **TAKEN})
            else:
                log.info("schedule_synchronized", extra={"schedule": name, "change": change})
        self._configured, self._fingerprint = settings, None

    async def _load(self, fingerprint: int) -> None:
        found = await self._term.run(schedules.list_all())
        self.clear()
        clocks = (_clock(schedule) for schedule in found if schedule.paused_at is None)
        self._clocks = {clock.schedule.name: clock for clock in clocks if clock is not None}
        for clock in self._clocks.values():
            clock.starts = clock.schedule.run_on_start and clock.schedule.name not in self._met
        self._fingerprint = fingerprint
        for clock in self._clocks.values():
            self._show_next(clock)

    async def _enqueue(self, clock: Clock, now: datetime) -> None:
        """Enqueue what is due of one schedule, and move on to its next tick."""
        schedule = clock.schedule
        ticks = ticks_to_enqueue(clock.expression, since=clock.since, now=now, missed=schedule.missed)
        skips = clock.next_tick <= now and (not ticks or clock.next_tick < ticks[0])
        if clock.starts and not ticks:
            ticks = [now]
        try:
            if not await self._write(clock, ticks, now):
                self._fingerprint = None
                return
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            metrics.schedule_runs.labels(schedule=schedule.name, result="failed").inc()
            fields = {"schedule": schedule.name, "ticks": len(ticks), "error": first_line(error)}
            log.error("schedule_failed", extra={**fields, "meaning": "the jobs of these ticks were not enqueued"})
        except psycopg.Error as error:
            if self._term.session.closed:
                raise
            self._postpone(clock, now, error)
            return
        if skips:
            metrics.schedule_runs.labels(schedule=schedule.name, result="skipped").inc()
        self._move_on(clock, now)

    def _postpone(self, clock: Clock, now: datetime, error: psycopg.Error) -> None:
        """Try the ticks of one schedule again after a while: a lock or a trigger that it has met is not the others'."""
        metrics.schedule_runs.labels(schedule=clock.schedule.name, result="postponed").inc()
        clock.retry_at = now + RETRY
        fields = {"schedule": clock.schedule.name, "error": first_line(error), "retry_in": RETRY.total_seconds()}
        log.warning("schedule_postponed", extra=fields)

    def _move_on(self, clock: Clock, now: datetime) -> None:
        self._met.add(clock.schedule.name)
        clock.starts, clock.retry_at = False, None
        clock.since = now
        clock.next_tick = clock.expression.next_after(now)
        self._show_next(clock)

    async def _write(self, clock: Clock, ticks: list[datetime], now: datetime) -> bool:
        """Enqueue ``ticks`` and remember that older ones are left out; return False if the schedule is not as read."""
        schedule, river = clock.schedule, self._term.settings.river
        retry_count = await self._term.run(registry.retry_count(schedule.kind))
        settled = ticks[-1] if ticks else now
        job_ids = await self._term.run(
            schedules.enqueue_ticks(
                self._term.generation,
                schedule,
                ticks,
                settled=settled,
                priority=river.priority_of(schedule.queue),
                max_attempts=river.max_attempts_of(retry_count),
            )
        )
        if job_ids is None:
            return False
        clock.schedule = dataclasses.replace(schedule, last_tick=settled)
        runs = metrics.schedule_runs
        runs.labels(schedule=schedule.name, result="enqueued").inc(len(job_ids))
        runs.labels(schedule=schedule.name, result="duplicate").inc(len(ticks) - len(job_ids))
        inserted = metrics.jobs_inserted.labels(
            queue=schedule.queue, kind=schedule.kind, source="schedule", result="inserted"
        )
        inserted.inc(len(job_ids))
        if ticks:
            metrics.schedule_lag.labels(schedule=schedule.name).set((now - ticks[-1]).total_seconds())
        return True

    def _show_next(self, clock: Clock) -> None:
        metrics.schedule_next_run.labels(schedule=clock.schedule.name).set(clock.next_tick.timestamp())


def configured(settings: Settings) -> Iterator[NewSchedule]:
    """Return the schedules of the configuration; one that cannot be used is logged and left out."""
    for name, given in settings.schedules.items():
        try:
            yield new_schedule(
                name,
                kind=given.task_type,
                cron=given.cron,
                every=given.every,
                timezone=given.timezone,
                args=given.task_params,
                queue=given.queue,
                priority=given.priority,
                max_attempts=given.max_attempts,
                tags=given.tags,
                missed=given.missed,
                run_on_start=given.run_on_start,
                unique=given.unique.meaning,
            )
        except InvalidInput as error:
            _ignore(name, error)


def _clock(schedule: Schedule) -> Clock | None:
    """Return when a schedule is due; a row that somebody wrote by hand and that cannot be read is logged."""
    try:
        expression = parse_expression(schedule.expression, "expression", zone=schedule.timezone)
    except InvalidInput as error:
        _ignore(schedule.name, error)
        return None
    return Clock(schedule, expression, schedule.since, expression.next_after(schedule.since))


def _ignore(name: str, error: InvalidInput) -> None:
    log.error(
        "schedule_ignored", extra={"schedule": name, "meaning": str(error), "do": "change it so that it is allowed"}
    )
