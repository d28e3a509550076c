"""Pause, resume, scale and clear one queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.names import check_any_queue, check_server_id
from riverrun_admin import bulk_actions, queue_actions
from riverrun_admin.forms.fields import Fields, back_to, read_fields
from riverrun_admin.rules import check_slots

LONGEST_PAUSE_SECONDS = 31_536_000


async def act(request: web.Request) -> web.StreamResponse:
    """Do what the path says to the queue that the form names."""
    action = _ACTIONS.get(request.match_info["action"])
    if action is None:
        raise web.HTTPNotFound
    fields = await read_fields(request)
    notice = await action(request, check_any_queue(fields.text("queue"), "queue"), fields)
    return back_to(request, fields.back("queue/list"), notice)


async def clear(request: web.Request) -> web.StreamResponse:
    """Begin to delete the jobs of a queue that are available, and show how far that is."""
    fields = await read_fields(request)
    bulk = await bulk_actions.clear(request, check_any_queue(fields.text("queue"), "queue"))
    return back_to(request, f"queue/bulk/{bulk.id}", "bulk_begun")


async def _pause(request: web.Request, queue: str, fields: Fields) -> str:
    seconds = fields.seconds("resume_in_s")
    if seconds is not None and not 1 <= seconds <= LONGEST_PAUSE_SECONDS:
        raise InvalidInput("resume_in_s", seconds, f"from 1 to {LONGEST_PAUSE_SECONDS} seconds")
    resume_at = None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
    await queue_actions.pause(request, queue, reason=fields.text("reason"), resume_at=resume_at)
    return "paused"


async def _resume(request: web.Request, queue: str, _fields: Fields) -> str:
    await queue_actions.resume(request, queue)
    return "resumed"


async def _scale(request: web.Request, queue: str, fields: Fields) -> str:
    slots, server = fields.number("max_workers"), fields.optional("server_id")
    await queue_actions.scale(
        request,
        queue,
        None if slots is None else check_slots(slots, "max_workers"),
        server_id=None if server is None else check_server_id(server, "server_id"),
    )
    return "scaled"


_ACTIONS: dict[str, Callable[[web.Request, str, Fields], Awaitable[str]]] = {
    "pause": _pause,
    "resume": _resume,
    "scale": _scale,
}

ROUTES = (
    web.post("/admin/form/queue/clear", clear),
    web.post("/admin/form/queue/{action}", act),
)
