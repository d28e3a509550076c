"""How a reader wants to see the pages, and what this daemon is set to."""

from __future__ import annotations

from aiohttp import web

from riverrun.access import Role
from riverrun.settings.effective import values
from riverrun_admin.callers import caller_of
from riverrun_admin.documents import encoded
from riverrun_admin.pages.render import page
from riverrun_admin.services import services


async def settings_page(request: web.Request) -> web.Response:
    """Return what the reader may choose and, to an administrator, the settings in force, secrets hidden."""
    caller = caller_of(request)
    shown = values(services(request).settings) if caller.role.allows(Role.ADMIN) and not caller.queues else ()
    settings = [
        (".".join(path), value if isinstance(value, str) else encoded(value).decode().strip())
        for path, value in shown
        if value is not None
    ]
    return page(request, "settings", settings=settings)
