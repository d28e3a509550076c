"""Register, change, try, pause, resume and delete a handler, and give it a new secret."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

from aiohttp import web

from riverrun.calls import NAMES, call_settings
from riverrun.job import decode_json
from riverrun.json_input import check_args_text
from riverrun.names import check_kind, check_queue
from riverrun.registration import registration
from riverrun.store import registry
from riverrun_admin import handler_actions
from riverrun_admin.forms.fields import Fields, back_to, read_fields
from riverrun_admin.pages.tokens import secret_page
from riverrun_admin.routes.handler import egress_of
from riverrun_admin.transaction import run

KEEP = timedelta(days=1)
"""For how long requests are signed with the former secret too."""


async def save(request: web.Request) -> web.StreamResponse:
    """Register a handler, or change one that is there; the secret of a new one is shown this once."""
    fields = await read_fields(request)
    kind, revision = check_kind(fields.text("task_type"), "task_type"), fields.number("revision")
    if isinstance(revision, int):
        # What is said no more is as it is by default.
        changes = {**dict.fromkeys(NAMES), **_said(fields), **_settings(fields)}
        await run(request, registry.update(kind, changes, revision=revision, egress=egress_of(request)))
    elif (secret := await _register(request, kind, fields)) is not None:
        return secret_page(request, "handler", secret, onward=_page_of(kind))
    return back_to(request, _page_of(kind), "handler_saved")


async def _register(request: web.Request, kind: str, fields: Fields) -> str | None:
    """Register a handler and return its secret, if its requests are signed with one that is new."""
    said = _said(fields)
    name, type_ = said.pop("handler_name"), said.pop("handler_type")
    new = registration(kind, name, type_, **said, settings=_settings(fields), egress=egress_of(request))
    return (await run(request, registry.register(new))).signing_secret


def _said(fields: Fields) -> dict[str, Any]:
    return {
        "handler_name": fields.text("handler_name"),
        "handler_type": fields.text("handler_type"),
        "endpoint_url": fields.optional("endpoint_url"),
        "timeout": fields.seconds("timeout"),
        "retry_count": fields.number("retry_count"),
        "description": fields.text("description"),
        "args_schema": _object(fields, "args_schema"),
    }


def _settings(fields: Fields) -> dict[str, Any]:
    said = _object(fields, "settings") or {}
    call_settings(said)
    return said


async def act(request: web.Request) -> web.StreamResponse:
    """Pause or resume the handler that the form names."""
    action = _ACTIONS.get(request.match_info["action"])
    if action is None:
        raise web.HTTPNotFound
    switch, notice = action
    fields = await read_fields(request)
    await switch(request, check_kind(fields.text("task_type"), "task_type"))
    return back_to(request, fields.back("handler/list"), notice)


async def try_out(request: web.Request) -> web.StreamResponse:
    """Enqueue one job by which the handler is tried, and show how it runs."""
    fields = await read_fields(request)
    kind, queue = check_kind(fields.text("task_type"), "task_type"), check_queue(fields.text("queue"), "queue")
    job = await handler_actions.begin_trial(request, kind, fields.text("task_params") or "{}", queue=queue)
    return back_to(request, f"queue/jobs/{job.id}", "handler_tried")


async def rotate(request: web.Request) -> web.StreamResponse:
    """Give a handler a new secret and show it this once; the present one is used beside it for a day."""
    kind = check_kind((await read_fields(request)).text("task_type"), "task_type")
    secret = await run(request, registry.rotate_secret(kind, keep=KEEP))
    return secret_page(request, "handler", secret, onward=_page_of(kind))


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete a handler; refused while unfinished jobs need it."""
    fields = await read_fields(request)
    await run(request, registry.delete(check_kind(fields.text("task_type"), "task_type")))
    return back_to(request, "handler/list", "handler_deleted")


async def _pause(request: web.Request, kind: str) -> None:
    await run(request, registry.pause(kind))


async def _resume(request: web.Request, kind: str) -> None:
    await run(request, registry.resume(kind))


def _object(fields: Fields, name: str) -> dict[str, Any] | None:
    """Return the JSON object in a field; none when it is empty."""
    text = fields.text(name)
    if not text:
        return None
    found: dict[str, Any] = decode_json(check_args_text(text, name))
    return found


def _page_of(kind: str) -> str:
    return f"page/handler?task_type={quote_plus(kind)}"


_ACTIONS: Mapping[str, tuple[Callable[[web.Request, str], Awaitable[None]], str]] = {
    "pause": (_pause, "handler_paused"),
    "resume": (_resume, "handler_resumed"),
}
"""What to do, and the notice of the page after it."""

ROUTES = (
    web.post("/admin/form/handler", save),
    web.post("/admin/form/handler/delete", delete),
    web.post("/admin/form/handler/rotate", rotate),
    web.post("/admin/form/handler/test", try_out),
    web.post("/admin/form/handler/{action}", act),
)
