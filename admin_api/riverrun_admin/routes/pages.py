"""What pages need besides themselves: the way to the first one, style and icons, and the words behind an error code."""

from __future__ import annotations

from aiohttp import web

from riverrun_admin.pages.assets import static_files, version
from riverrun_admin.pages.bulk_ask import ask
from riverrun_admin.pages.enqueue import enqueue_page
from riverrun_admin.pages.find import find
from riverrun_admin.pages.handlers import handler_page
from riverrun_admin.pages.queues import queue_page
from riverrun_admin.pages.render import page
from riverrun_admin.pages.schedules import schedule_page
from riverrun_admin.pages.settings import settings_page
from riverrun_admin.pages.texts import catalog
from riverrun_admin.pages.tokens import token_page


async def root(request: web.Request) -> web.Response:
    """Go to the overview; by a relative way, as a proxy may have put a path before ours."""
    overview = "queue/dashboard" if request.path == "/admin/" else "admin/queue/dashboard"
    return web.Response(status=302, headers={"Location": overview})


async def static(request: web.Request) -> web.Response:
    """Return a style sheet, a module or icons; the folder changes with the content, so they may be kept for ever."""
    found = static_files().get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    content, kind = found
    known = request.match_info["version"] == version()
    cached = "public, max-age=31536000, immutable" if known else "no-store"
    return web.Response(body=content, content_type=kind, charset="utf-8", headers={"Cache-Control": cached})


async def problem(request: web.Request) -> web.Response:
    """Say what an error code means, and what to do."""
    code = request.match_info["code"]
    if f"problem.{code}" not in catalog("en"):
        raise web.HTTPNotFound
    return page(request, "problem", code=code)


ROUTES = (
    web.get("/", root),
    web.get("/admin", root),
    web.get("/admin/", root),
    web.get("/admin/page/bulk", ask),
    web.get("/admin/page/enqueue", enqueue_page),
    web.get("/admin/page/find", find),
    web.get("/admin/page/handler", handler_page),
    web.get("/admin/page/queue", queue_page),
    web.get("/admin/page/schedule", schedule_page),
    web.get("/admin/page/settings", settings_page),
    web.get("/admin/page/token", token_page),
    web.get("/admin/static/{version}/{name}", static),
    web.get("/admin/problems/{code}", problem),
)
