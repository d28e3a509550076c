"""Register, change and delete handlers, which say what runs the jobs of a kind."""

from __future__ import annotations

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.names import check_kind
from riverrun.registration import registration
from riverrun.store import registry
from riverrun.store.registry import RegisteredHandler
from riverrun_admin.body import read_object
from riverrun_admin.documents import handler_document, respond
from riverrun_admin.filters import flag, is_lenient, refuse_unknown
from riverrun_admin.models import HandlerBody, HandlerChangeBody, HandlerKindBody
from riverrun_admin.negotiation import accepts_page_or_json
from riverrun_admin.pages.handlers import handlers_page
from riverrun_admin.pages.view import CHOICES
from riverrun_admin.problems import Problem
from riverrun_admin.rules import validated
from riverrun_admin.services import services
from riverrun_admin.transaction import run


async def list_handlers(request: web.Request) -> web.Response:
    """List the registered handlers."""
    refuse_unknown(request, frozenset({"task_type", "lenient", "notice", *CHOICES}))
    if accepts_page_or_json(request):
        return await handlers_page(request)
    kinds = [check_kind(kind, "?task_type") for kind in request.query.getall("task_type", [])]
    found = await services(request).database.run(registry.handlers(kinds or None))
    return respond({"data": [handler_document(handler) for handler in found], "next_cursor": None})


async def register(request: web.Request) -> web.Response:
    """Register a handler: 201 when it is new, 200 when the same one was there or ``upsert=true`` replaced one."""
    refuse_unknown(request, frozenset({"upsert", "lenient"}))
    replace = flag(request, "upsert")
    body = validated(HandlerBody, await read_object(request), lenient=is_lenient(request))
    new = registration(
        body.task_type,
        body.handler_name,
        body.handler_type,
        endpoint_url=body.endpoint_url,
        timeout=body.timeout,
        retry_count=body.retry_count,
        description=body.description,
    )
    handler, created = await run(request, registry.register(new, replace=replace))
    return _respond(handler, status=201 if created else 200)


async def update(request: web.Request) -> web.Response:
    """Change some of what is said about a handler; with If-Match only if nobody has changed it meanwhile."""
    body = validated(HandlerChangeBody, await read_object(request), lenient=is_lenient(request))
    changes = {name: getattr(body, name) for name in body.model_fields_set - {"task_type"}}
    return _respond(await run(request, registry.update(body.task_type, changes, revision=revision_wanted(request))))


async def delete(request: web.Request) -> web.Response:
    """Delete a handler, named in the query or in the body: 204."""
    refuse_unknown(request, frozenset({"task_type", "force", "lenient"}))
    kind, force = request.query.get("task_type"), flag(request, "force")
    if kind is None and not request.body_exists:
        raise InvalidInput("task_type", None, "the kind of the handler, in the query or in the body", code="required")
    if kind is None:
        body = validated(HandlerKindBody, await read_object(request), lenient=is_lenient(request))
        kind, force = body.task_type, force or body.force
    kind = check_kind(kind, "?task_type")
    await run(request, registry.delete(kind, revision=revision_wanted(request), force=force))
    return web.Response(status=204)


def _respond(handler: RegisteredHandler, *, status: int = 200) -> web.Response:
    return respond(handler_document(handler), status=status, headers={"ETag": f'"{handler.revision}"'})


def revision_wanted(request: web.Request) -> int | None:
    """Return the revision that If-Match asks for, if it asks for one.

    Raises:
        Problem: 412, it is no revision of anything.
    """
    if request.headers.get("If-Match", "*").strip() == "*":
        return None
    tags = [tag.value for tag in request.if_match or ()]
    if len(tags) != 1 or not tags[0].isascii() or not tags[0].isdigit() or len(tags[0]) > 18:
        raise Problem(412, "version-mismatch", "If-Match must have one ETag as an earlier response gave it")
    return int(tags[0])


ROUTES = (
    web.get("/admin/handler/list", list_handlers),
    web.post("/admin/handler/register", register),
    web.put("/admin/handler/update", update),
    web.delete("/admin/handler/delete", delete),
)
