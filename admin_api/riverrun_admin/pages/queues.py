"""The queues: how each stands, and the forms that pause, resume and scale it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web

from riverrun.errors import NotFound
from riverrun.names import check_looked_up
from riverrun.store import statistics
from riverrun.store.figures import PERIODS
from riverrun.store.statistics import Executor, QueueStatistics
from riverrun.telemetry.metrics import RUN, WAIT
from riverrun_admin.filters import words_of
from riverrun_admin.pages import figures
from riverrun_admin.pages.charts import histogram
from riverrun_admin.pages.overview import period_of
from riverrun_admin.pages.render import page
from riverrun_admin.scope import snapshot_seen
from riverrun_admin.services import services

QUEUES_SHOWN = 50


async def queues_page(request: web.Request) -> web.Response:
    """Return the list of queues, so many at a time, from the one on that ``cursor`` names, if there is one."""
    snapshot = await snapshot_seen(request)
    queues = snapshot.statistics.queues
    wanted = words_of(request, "cursor")
    first = next((place for place, queue in enumerate(queues) if queue.name == wanted), 0)
    shown, rest = queues[first : first + QUEUES_SHOWN], queues[first + QUEUES_SHOWN :]
    return page(
        request,
        "queues",
        queues=shown,
        next_cursor=rest[0].name if rest else None,
        on_first_page=first == 0,
        sparks=await figures.sparks(request),
    )


async def queue_page(request: web.Request) -> web.Response:
    """Return one queue: its figures, its kinds, and how long its jobs waited and ran.

    Raises:
        NotFound: Nobody knows the queue, or the sender may not see it.
    """
    name = check_looked_up(request.query.get("name"), "?name")
    snapshot = await snapshot_seen(request)
    queue = next((each for each in snapshot.statistics.queues if each.name == name), None)
    if queue is None:
        raise NotFound("queue", name)
    period = period_of(request)
    history = await figures.history(request, period, queue=name)
    executors = [each for each in await services(request).database.run(statistics.executors()) if each.queue == name]
    configured = services(request).settings.river.queues.get(name)
    return page(
        request,
        "queue",
        queue=queue,
        configured=configured,
        hosts=_hosts(queue, executors),
        charts=figures.charts(request, period, history.points, queue=name),
        kinds=history.kinds,
        waits=histogram(_sum(point.wait_buckets for point in history.points), WAIT),
        runs=histogram(_sum(point.run_buckets for point in history.points), RUN),
        period=period,
        periods=PERIODS,
    )


@dataclass(frozen=True, slots=True)
class Host:
    """What one server does for a queue; ``max_workers`` is what was set there at run time, if anything was."""

    server_id: str
    executors: int
    slots: int
    busy: int
    max_workers: int | None


def _hosts(queue: QueueStatistics, executors: Sequence[Executor]) -> list[Host]:
    """Return the servers that work on a queue or have a setting of their own for it, by name."""
    names = sorted({each.server_id for each in executors} | queue.max_workers_by_server.keys())
    found = []
    for name in names:
        own = [each for each in executors if each.server_id == name]
        slots, busy = sum(each.slots for each in own), sum(each.busy for each in own)
        found.append(Host(name, len(own), slots, busy, queue.max_workers_by_server.get(name)))
    return found


def _sum(lists: Iterable[Sequence[int]]) -> list[int]:
    """Return the sums of the elements at the same places; a list may be empty."""
    return [sum(column) for column in zip(*filter(None, lists), strict=False)]
