"""The queues: how each stands, and the forms that pause, resume and scale it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aiohttp import web

from riverrun.errors import NotFound
from riverrun.names import check_queue
from riverrun.store.figures import PERIODS
from riverrun.telemetry.metrics import RUN, WAIT
from riverrun_admin.pages import figures
from riverrun_admin.pages.charts import histogram
from riverrun_admin.pages.overview import period_of
from riverrun_admin.pages.render import page
from riverrun_admin.scope import snapshot_seen
from riverrun_admin.services import services


async def queues_page(request: web.Request) -> web.Response:
    """Return the list of queues."""
    snapshot = await snapshot_seen(request)
    return page(request, "queues", queues=snapshot.statistics.queues, sparks=await figures.sparks(request))


async def queue_page(request: web.Request) -> web.Response:
    """Return one queue: its figures, its kinds, and how long its jobs waited and ran.

    Raises:
        NotFound: Nobody knows the queue, or the sender may not see it.
    """
    name = check_queue(request.query.get("name"), "?name")
    snapshot = await snapshot_seen(request)
    queue = next((each for each in snapshot.statistics.queues if each.name == name), None)
    if queue is None:
        raise NotFound("queue", name)
    period = period_of(request)
    history = await figures.history(request, period, queue=name)
    configured = services(request).settings.river.queues.get(name)
    return page(
        request,
        "queue",
        queue=queue,
        configured=configured,
        charts=figures.charts(request, period, history.points, queue=name),
        kinds=history.kinds,
        waits=histogram(_sum(point.wait_buckets for point in history.points), WAIT),
        runs=histogram(_sum(point.run_buckets for point in history.points), RUN),
        period=period,
        periods=PERIODS,
    )


def _sum(lists: Iterable[Sequence[int]]) -> list[int]:
    """Return the sums of the elements at the same places; a list may be empty."""
    return [sum(column) for column in zip(*filter(None, lists), strict=False)]
