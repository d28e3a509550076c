"""List the servers of the fleet."""

from __future__ import annotations

from aiohttp import web

from riverrun_admin.documents import respond, server_document
from riverrun_admin.negotiation import accepts_page_or_json
from riverrun_admin.pages.servers import servers_page
from riverrun_admin.scope import snapshot_seen


async def list_servers(request: web.Request) -> web.Response:
    """List the servers, what each runs, and which one leads."""
    if accepts_page_or_json(request):
        return await servers_page(request)
    snapshot = await snapshot_seen(request)
    return respond({"data": [server_document(server) for server in snapshot.statistics.servers], "next_cursor": None})


ROUTES = (web.get("/admin/server/list", list_servers),)
