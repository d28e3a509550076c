"""What pages need besides themselves: the way to the first one, style and icons, and the words behind an error code."""

from __future__ import annotations

from aiohttp import web

from riverrun_admin.pages.render import page, static_files
from riverrun_admin.pages.texts import catalog


async def root(_request: web.Request) -> web.Response:
    """Go to the overview."""
    raise web.HTTPFound("admin/queue/dashboard")


async def static(request: web.Request) -> web.Response:
    """Return a style sheet or an icon; its address changes with its content, so it may be kept for ever."""
    found = static_files().get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    content, kind, etag = found
    headers = {"ETag": f'"{etag}"', "Cache-Control": "public, max-age=31536000, immutable"}
    if request.if_none_match and any(each.value == etag for each in request.if_none_match):
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, content_type=kind, charset="utf-8", headers=headers)


async def problem(request: web.Request) -> web.Response:
    """Say what an error code means, and what to do."""
    code = request.match_info["code"]
    if f"problem.{code}" not in catalog("en"):
        raise web.HTTPNotFound
    return page(request, "problem", code=code)


ROUTES = (
    web.get("/", root),
    web.get("/admin/static/{name}", static),
    web.get("/admin/problems/{code}", problem),
)
