"""Failed jobs, grouped by what went wrong."""

from __future__ import annotations

from aiohttp import web

from riverrun_admin.pages.overview import recent_failures
from riverrun_admin.pages.render import page


async def errors_page(request: web.Request) -> web.Response:
    """Return the groups of failures, the latest first."""
    found, more = await recent_failures(request)
    return page(request, "errors", failures=found, more=more)
