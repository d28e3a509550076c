"""Pause, resume and scale one queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from riverrun.names import check_queue
from riverrun_admin import queue_actions
from riverrun_admin.forms.fields import Fields, leave, read_fields
from riverrun_admin.rules import check_slots


async def act(request: web.Request) -> web.StreamResponse:
    """Do what the path says to the queue that the form names."""
    action = _ACTIONS.get(request.match_info["action"])
    if action is None:
        raise web.HTTPNotFound
    fields = await read_fields(request)
    notice = await action(request, check_queue(fields.text("queue"), "queue"), fields)
    leave(request, fields.back("queue/list"), notice)


async def _pause(request: web.Request, queue: str, _fields: Fields) -> str:
    await queue_actions.pause(request, queue)
    return "paused"


async def _resume(request: web.Request, queue: str, _fields: Fields) -> str:
    await queue_actions.resume(request, queue)
    return "resumed"


async def _scale(request: web.Request, queue: str, fields: Fields) -> str:
    slots = fields.number("max_workers")
    await queue_actions.scale(request, queue, None if slots is None else check_slots(slots, "max_workers"))
    return "scaled"


_ACTIONS: dict[str, Callable[[web.Request, str, Fields], Awaitable[str]]] = {
    "pause": _pause,
    "resume": _resume,
    "scale": _scale,
}

ROUTES = (web.post("/admin/form/queue/{action}", act),)
