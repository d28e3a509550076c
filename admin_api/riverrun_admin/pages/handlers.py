"""The registered handlers."""

from __future__ import annotations

from aiohttp import web

from riverrun.store import registry
from riverrun_admin.pages.render import page
from riverrun_admin.services import services


async def handlers_page(request: web.Request) -> web.Response:
    """Return the list of handlers."""
    found = await services(request).database.run(registry.handlers())
    return page(request, "handlers", handlers=found)
