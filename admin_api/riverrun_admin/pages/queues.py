"""The queues: how each stands, and the forms that pause, resume and scale it."""

from __future__ import annotations

from aiohttp import web

from riverrun_admin.pages.render import page
from riverrun_admin.services import services


async def queues_page(request: web.Request) -> web.Response:
    """Return the list of queues."""
    snapshot = await services(request).overview.snapshot()
    return page(request, "queues", queues=snapshot.statistics.queues)
