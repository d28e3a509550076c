"""The first page: what the fleet does now and has done of late, and what deserves a look."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.store import failures
from riverrun.store.failures import Failure
from riverrun.store.figures import PERIODS, Period, Point
from riverrun.store.statistics import QueueStatistics, Statistics
from riverrun_admin.pages import figures
from riverrun_admin.pages.alerts import alerts
from riverrun_admin.pages.render import page
from riverrun_admin.scope import queues_seen, snapshot_seen
from riverrun_admin.services import services

FAILURES_SHOWN, QUEUES_SHOWN = 8, 8
FAILURES_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of the tiles.

    Attributes:
        per_minute: Attempts that succeeded in the last whole minute.
        failed_share: The part of the attempts of the period that failed, from 0 to 1; ``None`` without any.
        worst: The queue whose oldest due job has waited longest.
    """

    per_minute: int
    failed_share: float | None
    completed: int
    discarded: int
    running: int
    slots: int
    worst: QueueStatistics | None
    up: int
    down: int


async def overview_page(request: web.Request) -> web.Response:
    """Return the overview; what it needs is asked for at once, which takes as long as the longest answer."""
    period = period_of(request)
    snapshot, history, sparks, (found, _), warned = await asyncio.gather(
        snapshot_seen(request),
        figures.history(request, period),
        figures.sparks(request),
        recent_failures(request),
        alerts(request),
    )
    statistics = snapshot.statistics
    queues = sorted(statistics.queues, key=lambda queue: -(queue.oldest_age_s or 0))
    return page(
        request,
        "overview",
        statistics=statistics,
        summary=_summary(statistics, history.points),
        charts=figures.charts(request, period, history.points),
        kinds=history.kinds,
        sparks=sparks,
        queues=queues[:QUEUES_SHOWN],
        failures=found[:FAILURES_SHOWN],
        alerts=warned,
        period=period,
        periods=PERIODS,
        wallboard=request.query.get("wallboard") == "1",
    )


def period_of(request: web.Request) -> Period:
    """Return the period that the query names, an hour without one.

    Raises:
        InvalidInput: It names none that is offered.
    """
    name = request.query.get("period", "1h")
    for period in PERIODS:
        if period.name == name:
            return period
    raise InvalidInput("?period", name, ", ".join(each.name for each in PERIODS), code="unknown")


async def recent_failures(request: web.Request) -> tuple[list[Failure], bool]:
    """Return the groups of failures that the sender may see, a few seconds old, and whether there are more."""
    served_by, queues = services(request), await queues_seen(request)
    found, more = await served_by.recent.get(
        ("failures", queues), lambda: served_by.database.run(failures.groups(queues=queues)), seconds=FAILURES_SECONDS
    )
    words = served_by.mask.words
    return [replace(each, message=words(each.message), example=words(each.example)) for each in found], more


def _summary(statistics: Statistics, points: Sequence[Point]) -> Summary:
    failed = sum(point.retried + point.discarded for point in points)
    completed = sum(point.completed for point in points)
    waiting = [queue for queue in statistics.queues if queue.oldest_age_s is not None]
    return Summary(
        per_minute=sum(queue.completed_1m for queue in statistics.queues),
        failed_share=failed / (failed + completed) if failed + completed else None,
        completed=completed,
        discarded=sum(point.discarded for point in points),
        running=sum(queue.running.value for queue in statistics.queues),
        slots=sum(queue.slots for queue in statistics.queues),
        worst=max(waiting, key=lambda queue: queue.oldest_age_s or 0, default=None),
        up=sum(server.alive for server in statistics.servers),
        down=sum(not server.alive for server in statistics.servers),
    )
