"""Register, change, delete and resume a handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from riverrun.names import check_kind
from riverrun.registration import registration
from riverrun.store import registry
from riverrun_admin.forms.fields import leave, read_fields
from riverrun_admin.routes.handler import egress_of
from riverrun_admin.transaction import run


async def act(request: web.Request) -> web.StreamResponse:
    """Do what the path says to the handler that the form names."""
    action = _ACTIONS.get(request.match_info["action"])
    if action is None:
        raise web.HTTPNotFound
    fields = await read_fields(request)
    notice = await action(request, check_kind(fields.text("task_type"), "task_type"))
    leave(request, fields.back("handler/list"), notice)


async def save(request: web.Request) -> web.StreamResponse:
    """Register a handler, or change one that is there."""
    fields = await read_fields(request)
    kind, revision = fields.text("task_type"), fields.number("revision")
    said: dict[str, object] = {
        "handler_name": fields.text("handler_name"),
        "handler_type": fields.text("handler_type"),
        "endpoint_url": fields.optional("endpoint_url"),
        "timeout": fields.seconds("timeout"),
        "retry_count": fields.number("retry_count"),
        "description": fields.text("description"),
    }
    egress = egress_of(request)
    if isinstance(revision, int):
        await run(request, registry.update(check_kind(kind, "task_type"), said, revision=revision, egress=egress))
    else:
        new = registration(
            kind,
            said["handler_name"],
            said["handler_type"],
            endpoint_url=said["endpoint_url"],
            timeout=said["timeout"],
            retry_count=said["retry_count"],
            description=said["description"],
            egress=egress,
        )
        await run(request, registry.register(new))
    leave(request, "handler/list", "handler_saved")


async def _delete(request: web.Request, kind: str) -> str:
    await run(request, registry.delete(kind))
    return "handler_deleted"


async def _resume(request: web.Request, kind: str) -> str:
    await run(request, registry.resume(kind))
    return "handler_resumed"


_ACTIONS: Mapping[str, Callable[[web.Request, str], Awaitable[str]]] = {"delete": _delete, "resume": _resume}

ROUTES = (
    web.post("/admin/form/handler", save),
    web.post("/admin/form/handler/{action}", act),
)
