"""The servers of the fleet, the executors on each, and who leads."""

from __future__ import annotations

from aiohttp import web

from riverrun.store import health, statistics
from riverrun_admin.callers import caller_of
from riverrun_admin.pages.render import page
from riverrun_admin.scope import snapshot_seen
from riverrun_admin.services import services


async def servers_page(request: web.Request) -> web.Response:
    """Return the list of servers."""
    database, may_use = services(request).database, caller_of(request).may_use
    snapshot = await snapshot_seen(request)
    servers = snapshot.statistics.servers
    executors = [each for each in await database.run(statistics.executors()) if may_use(each.queue)]
    return page(
        request,
        "servers",
        servers=servers,
        leader=snapshot.statistics.leader,
        leaders=await database.run(health.leaders()),
        executors=executors,
        lost=[each for each in await database.run(health.expired_executors(0)) if may_use(each.queue)],
        releases=sorted({server.version for server in servers if server.alive}),
        slots=sum(each.slots for each in executors),
        busy=sum(each.busy for each in executors),
    )
