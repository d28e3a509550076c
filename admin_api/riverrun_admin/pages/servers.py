"""The servers of the fleet and the executors on each."""

from __future__ import annotations

from aiohttp import web

from riverrun.store import statistics
from riverrun_admin.callers import caller_of
from riverrun_admin.pages.render import page
from riverrun_admin.scope import snapshot_seen
from riverrun_admin.services import services


async def servers_page(request: web.Request) -> web.Response:
    """Return the list of servers."""
    snapshot = await snapshot_seen(request)
    executors = await services(request).database.run(statistics.executors())
    may_use = caller_of(request).may_use
    return page(
        request,
        "servers",
        servers=snapshot.statistics.servers,
        leader=snapshot.statistics.leader,
        executors=[each for each in executors if may_use(each.queue)],
        as_of=snapshot.as_of,
    )
