"""The servers of the fleet, the executors on each, and who leads."""

from __future__ import annotations

from aiohttp import web

from riverrun.store import health, statistics
from riverrun_admin.pages.render import page
from riverrun_admin.services import services


async def servers_page(request: web.Request) -> web.Response:
    """Return the list of servers."""
    database = services(request).database
    snapshot = await services(request).overview.snapshot()
    servers = snapshot.statistics.servers
    executors = await database.run(statistics.executors())
    return page(
        request,
        "servers",
        servers=servers,
        leader=snapshot.statistics.leader,
        leaders=await database.run(health.leaders()),
        executors=executors,
        lost=await database.run(health.expired_executors(0)),
        releases=sorted({server.version for server in servers if server.alive}),
        slots=sum(each.slots for each in executors),
        busy=sum(each.busy for each in executors),
    )
