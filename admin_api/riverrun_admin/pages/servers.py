"""The servers of the fleet and the executors on each."""

from __future__ import annotations

from aiohttp import web

from riverrun.store import statistics
from riverrun_admin.pages.render import page
from riverrun_admin.services import services


async def servers_page(request: web.Request) -> web.Response:
    """Return the list of servers."""
    snapshot = await services(request).overview.snapshot()
    executors = await services(request).database.run(statistics.executors())
    return page(
        request,
        "servers",
        servers=snapshot.statistics.servers,
        leader=snapshot.statistics.leader,
        executors=executors,
        as_of=snapshot.as_of,
    )
