"""Records every change in the transaction that makes it: who, from where, what, and how it was before.

Every request that changes something passes here, so that no route can forget it. What a request says is kept as its
details; a route that knows more notes it. Enqueued jobs and refused requests are counted: see `riverrun_admin.tallies`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from riverrun.access import Role
from riverrun.job import decode_json
from riverrun.store import audit
from riverrun.store.audit import Change
from riverrun_admin.body import read_body
from riverrun_admin.callers import address_of, caller_of, request_id_of
from riverrun_admin.door import shows_token
from riverrun_admin.form_fields import MOST_FIELDS
from riverrun_admin.problems import Problem
from riverrun_admin.roles import needed_role
from riverrun_admin.services import services
from riverrun_admin.tallies import REFUSED_SECONDS, refused
from riverrun_admin.transaction import whole

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LARGEST_KEPT = 16 * 1024
_NOTES = web.RequestKey("_NOTES", dict[str, Any])
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSALS = frozenset({"unauthorized", "forbidden", "host-not-allowed", "cross-site"})
_TARGETS = (
    ("job_id", "job"), ("job_ids", "jobs"), ("token_id", "token"), ("bulk_id", "bulk"), ("name", "schedule"),
    ("task_type", "handler"), ("queue", "queue"), ("server_id", "server"),
)  # fmt: skip


def note(request: web.Request, **details: object) -> None:
    """Keep more with the change that ``request`` makes: ``target``, ``actor``, ``before``, ``after``, ``result``."""
    request.setdefault(_NOTES, {}).update(details)


@web.middleware
async def record_changes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Run a request that changes something in one transaction together with the record of it."""
    if request.method in _SAFE_METHODS or not _changes(request):
        return await handler(request)
    return await recorded(request, handler)


async def recorded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let ``handler`` answer ``request`` in one transaction together with the record of what it changes."""
    body = await read_body(request)  # before a connection is taken, for senders that are slow
    async with whole(request) as run:
        response = await handler(request)
        if response.status < 400 and _is_known(request):
            await run(audit.add(_change(request, body)))
    services(request).changed()
    services(request).bulk.wake()  # it sees only what is committed
    return response


def note_refused(request: web.Request, problem: Problem, *, shown: bool = False) -> None:
    """Let it be recorded when ``problem`` says that the sender may not do this; ``shown``: they have shown a token."""
    if problem.code not in _REFUSALS or (problem.status == 401 and not shown and not shows_token(request)):
        return
    happening = refused(request, services(request).settings.admin, problem.code)
    services(request).tallies.add(happening, rest=REFUSED_SECONDS)


def _changes(request: web.Request) -> bool:
    """Whether the route changes something, and does not see to the record itself as the login does."""
    resource = request.match_info.route.resource
    if resource is None:
        return False
    role = needed_role(request)
    return resource.canonical == "/admin/logout" if role is Role.PUBLIC else role is not Role.ENQUEUE


def _is_known(request: web.Request) -> bool:
    """Whether there is something to be recorded: nobody fills the record from outside."""
    return needed_role(request) is not Role.PUBLIC or _NOTES in request


def _change(request: web.Request, body: bytes) -> Change:
    caller, noted = caller_of(request), dict(request.get(_NOTES, {}))
    fields = services(request).mask.fields(_said(request, body))
    details = {
        "role": caller.role,
        "address": address_of(request, services(request).settings.admin),
        "request_id": request_id_of(request),
        "result": "ok",
        "after": fields,
    }
    action = ".".join(part for part in request.path.split("/") if part not in ("", "admin", "form"))
    target = noted.pop("target", None) or _target(fields)
    return Change(noted.pop("actor", caller.actor), action, target, {**details, **noted})


def _said(request: web.Request, body: bytes) -> Mapping[str, object]:
    """Return what the request says, as far as it is small enough to be kept and can be read."""
    if len(body) > LARGEST_KEPT:
        return {"cut": f"{len(body)} bytes"}
    if request.content_type != "application/json" or not body:
        return {**request.query, **dict(parse_qsl(body.decode(errors="replace"), max_num_fields=MOST_FIELDS))}
    try:
        said = decode_json(body)
    except ValueError:  # a route that needs no body has not looked at it
        said = None
    return said if isinstance(said, Mapping) else {**request.query, "cut": f"{len(body)} bytes, no JSON object"}


def _target(fields: Mapping[str, object]) -> str:
    for name, noun in _TARGETS:
        if fields.get(name) is not None:
            return f"{noun}:{fields[name]}"[:255]
    return ""
