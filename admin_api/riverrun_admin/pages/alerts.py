"""What the fleet cannot mend by itself, on the first page: each in a sentence, with the way to where it is mended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from urllib.parse import quote, urlencode

from aiohttp import web

from riverrun.job_query import term
from riverrun.schedule import Schedule
from riverrun.store import horizon, notices
from riverrun.store.horizon import Pin
from riverrun.store.notices import Discarded
from riverrun.store.registry import RegisteredHandler
from riverrun.store.statistics import QueueStatistics
from riverrun_admin.callers import caller_of
from riverrun_admin.pages.schedules import late
from riverrun_admin.scope import handlers_seen, schedules_seen, snapshot_seen
from riverrun_admin.services import services

MANY_DISCARDED = 10
"""So many jobs of one kind and queue that were discarded within five minutes are no accident."""

MOST_OF_A_SORT = 5
LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that somebody should see to.

    Attributes:
        name: What; the text ``alert.<name>`` says it.
        about: Tells it from others of its name.
        tone: ``bad`` or ``warn``.
        values: What stands in the text.
        number: How many jobs it is about.
        seconds: How long it has lasted.
        address: Where below ``/admin/`` it is mended.
        command: What to type to mend it.
    """

    name: str
    about: str
    tone: str
    values: Mapping[str, object] = field(default_factory=dict)
    number: int | None = None
    seconds: float | None = None
    address: str = ""
    command: str = ""


async def alerts(request: web.Request) -> list[Alert]:
    """Return what the sender should see to, the bad first, a few seconds old, no more than five things of a sort."""
    caller, recent, database = caller_of(request), services(request).recent, services(request).database
    discarded = await recent.get(
        "discarded lately", lambda: database.run(notices.discarded_lately()), seconds=LOOK_SECONDS
    )
    # Whose transaction keeps dead rows is nobody's who may see some queues alone.
    pins = [] if caller.queues else await recent.get("pins", lambda: database.run(horizon.pins()), seconds=LOOK_SECONDS)
    sorts = (
        _unserved((await snapshot_seen(request)).statistics.queues),
        _discarded([each for each in discarded if caller.may_use(each.queue)]),
        _down(await handlers_seen(request)),
        _late(late(await schedules_seen(request), datetime.now(UTC))),
        _pinned(pins),
    )
    found = [alert for sort in sorts for alert in islice(sort, MOST_OF_A_SORT)]
    return sorted(found, key=lambda alert: alert.tone != "bad")


def _unserved(queues: Sequence[QueueStatistics]) -> Iterator[Alert]:
    for queue in sorted(queues, key=lambda queue: -(queue.unserved_s or 0.0)):
        if queue.unserved_s is not None:
            yield Alert(
                "unserved",
                queue.name,
                "bad",
                {"queue": queue.name},
                seconds=queue.unserved_s,
                address=f"page/queue?name={quote(queue.name)}",
                command="queuectl reload",
            )


def _discarded(found: Sequence[Discarded]) -> Iterator[Alert]:
    for each in sorted(found, key=lambda each: -each.jobs):
        if each.jobs >= MANY_DISCARDED:
            minutes = int(notices.LATELY.total_seconds() // 60)
            named = f"{term('queue', [each.queue])} {term('kind', [each.kind])}"
            line = f"state:discarded {named} finalized:>-{minutes}m"
            yield Alert(
                "discarded",
                f"{each.queue}-{each.kind}",
                "bad",
                {"queue": each.queue, "kind": each.kind},
                number=each.jobs,
                seconds=notices.LATELY.total_seconds(),
                address=f"queue/jobs?{urlencode({'filter': line})}",
            )


def _down(handlers: Sequence[RegisteredHandler]) -> Iterator[Alert]:
    for handler in handlers:
        health = handler.health
        why = health.misconfigured or health.reason
        address = f"page/handler?task_type={quote(handler.kind)}"
        if handler.paused_at is not None:
            yield Alert("paused", handler.kind, "warn", {"kind": handler.kind, "why": why}, address=address)
        elif health.breaker != "closed" or health.misconfigured:
            yield Alert("down", handler.kind, "bad", {"kind": handler.kind, "why": why}, address=address)


def _late(schedules: Sequence[Schedule]) -> Iterator[Alert]:
    for each in schedules:
        yield Alert("late", each.name, "warn", {"name": each.name}, address=f"page/schedule?name={quote(each.name)}")


def _pinned(pins: Sequence[Pin]) -> Iterator[Alert]:
    for pin in pins:
        if pin.is_old:
            ends = f"SELECT pg_terminate_backend({pin.pid});" if pin.what == "transaction" else "queuectl doctor"
            who = " · ".join(filter(None, (pin.name, pin.owner, pin.application, pin.state)))
            yield Alert(
                f"pinned_{pin.what}", f"{pin.what}-{pin.name}", "warn", {"who": who}, seconds=pin.seconds, command=ends
            )
