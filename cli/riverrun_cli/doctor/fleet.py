"""Judges the fleet by what the database knows of it: does somebody lead, and does somebody work on what waits?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from riverrun.cron_grammar import parse_expression
from riverrun.errors import InvalidInput
from riverrun.schedule import Schedule
from riverrun.settings.schema import Settings
from riverrun.store.health import ExpiredExecutor, Leaders
from riverrun.store.registry import RegisteredHandler
from riverrun.store.river_leader import FAMILY
from riverrun.store.statistics import QueueStatistics
from riverrun_cli.doctor.finding import Finding, error, span, warning

SILENT_SECONDS = 10.0
UNSERVED_SECONDS = 10.0
LATE = timedelta(minutes=1)


def of_leaders(leaders: Leaders, settings: Settings) -> Iterator[Finding]:
    """Judge who leads."""
    if leaders.seconds is None or leaders.seconds > SILENT_SECONDS:
        yield error(
            "leader",
            "no scheduler leads: nothing is promoted, rescued, scheduled or cleaned"
            if leaders.seconds is None
            else f"no scheduler leads for {span(leaders.seconds)}, the last was {leaders.server_id}: nothing is"
            " promoted, rescued, scheduled or cleaned",
            mend="queuectl start, on a host whose roles include the scheduler",
        )
    other = leaders.river_leader
    if other is not None and not other.startswith(FAMILY) and settings.river.leadership == "lead":
        yield warning(
            "river_leader",
            f"River's own leader row is held by {other}, a client of River: it discards jobs of kinds that it does not"
            " know when it takes them for stuck",
            mend="stop the workers of that client on this schema, or set river.leadership: follow",
        )


def of_queues(queues: Sequence[QueueStatistics]) -> Iterator[Finding]:
    """Judge which queues have work that nobody does."""
    for queue in queues:
        waiting, age = queue.available, queue.unserved_s
        if age is not None and age > UNSERVED_SECONDS:
            number = f"{waiting.value}{'+' if waiting.relation == 'gte' else ''}"
            yield error(
                "unserved",
                f"jobs wait in queue {queue.name}, {number} by now and the oldest for {span(age)}, and no executor"
                " works on it",
                mend=f"add {queue.name} to river.queues of a host, then there: queuectl reload (or start)",
            )


def of_kinds(unhandled: Sequence[tuple[str, str, int]]) -> Iterator[Finding]:
    """Judge which kinds wait without a handler."""
    for kind, queue, jobs in unhandled:
        yield error(
            "unhandled",
            f"kind {kind} has no handler, and at least {jobs} of its jobs wait, some in queue {queue}: their attempts"
            " fail until they are used up",
            mend=f"add its module to handlers.modules, or: queuectl handler register {kind} --type http --url …",
        )


def of_services(handlers: Sequence[RegisteredHandler]) -> Iterator[Finding]:
    """Judge the services that handle jobs."""
    for handler in handlers:
        health = handler.health
        if handler.paused_at is not None and health.reason:
            yield error(
                "services",
                f"kind {handler.kind} is paused: {health.reason}",
                mend=f"mend the service, then: queuectl handler resume {handler.kind}",
            )
        elif health.breaker != "closed":
            yield error(
                "services",
                f"the service of kind {handler.kind} is left alone, and its jobs wait: {health.reason}",
                mend=f"mend the service; it is tried by itself, or at once: queuectl handler resume {handler.kind}",
            )
        elif health.misconfigured:
            yield error(
                "services",
                f"calls of kind {handler.kind} cannot succeed: {health.misconfigured}",
                mend=f"correct the registration or the service: queuectl handler get {handler.kind}",
            )


def of_executors(expired: Sequence[ExpiredExecutor], unknown: Collection[str]) -> Iterator[Finding]:
    """Judge the executors of which only traces are left."""
    for executor in expired:
        yield warning(
            "executors",
            f"executor {executor.incarnation} of queue {executor.queue} had its lease until {span(executor.seconds)}"
            " ago, and nobody has rescued its jobs",
            mend="a leader does it within seconds; look for one: queuectl server list",
        )
    for incarnation in sorted(unknown):
        yield warning(
            "executors",
            f"jobs are marked as run by {incarnation}, of which no host knows",
            mend="a leader rescues them within a minute; look for one: queuectl server list",
        )


def of_schedules(schedules: Sequence[Schedule], now: datetime) -> Iterator[Finding]:
    """Judge the schedules by the clock of the database."""
    for schedule in schedules:
        if schedule.paused_at is not None:
            continue
        try:
            parse_expression(schedule.expression, "expression", zone=schedule.timezone)
        except InvalidInput as refusal:
            yield error(
                "schedules",
                f"schedule {schedule.name} is never due: {refusal}",
                mend=f"queuectl schedule delete {schedule.name}; then: queuectl schedule create {schedule.name}"
                f" --kind {schedule.kind} --queue {schedule.queue} --cron …",
            )
            continue
        due = schedule.overdue_since(now)
        if due is not None and now - due > LATE:
            yield warning(
                "schedules",
                f"schedule {schedule.name} was due at {due:%Y-%m-%dT%H:%M:%SZ}, which is"
                f" {span((now - due).total_seconds())} ago, and has enqueued nothing since",
                mend=f"look for a leader: queuectl server list; enqueue it now: queuectl schedule run {schedule.name}",
            )
