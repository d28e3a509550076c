"""How a reader wants to see the pages, and what this daemon is set to."""

from __future__ import annotations

from aiohttp import web

from riverrun.settings.effective import values
from riverrun_admin.documents import encoded
from riverrun_admin.pages.render import page
from riverrun_admin.services import services


async def settings_page(request: web.Request) -> web.Response:
    """Return the settings in force on this server, secrets hidden."""
    settings = [
        (".".join(path), value if isinstance(value, str) else encoded(value).decode().strip())
        for path, value in values(services(request).settings)
        if value is not None
    ]
    return page(request, "settings", settings=settings)
