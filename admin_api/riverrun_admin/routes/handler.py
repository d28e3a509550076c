"""Register, change, try, pause and delete handlers, which say what runs the jobs of a kind."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from functools import partial

from aiohttp import web

from riverrun import trial
from riverrun.calls import NAMES
from riverrun.egress import Egress
from riverrun.errors import InvalidInput
from riverrun.job import Job
from riverrun.names import check_kind
from riverrun.registration import registration
from riverrun.store import registry
from riverrun.store.registry import RegisteredHandler
from riverrun_admin import answers, handler_actions
from riverrun_admin.body import read_object
from riverrun_admin.documents import handler_document, job_document, respond
from riverrun_admin.filters import flag, is_lenient, refuse_unknown
from riverrun_admin.models import (
    HandlerBody,
    HandlerChangeBody,
    HandlerKindBody,
    HandlerNameBody,
    SecretBody,
    TrialBody,
)
from riverrun_admin.negotiation import accepts_page_or_json
from riverrun_admin.pages.handlers import handlers_page
from riverrun_admin.pages.view import CHOICES
from riverrun_admin.problems import Problem
from riverrun_admin.reading import read_job
from riverrun_admin.rules import validated
from riverrun_admin.scope import handlers_seen
from riverrun_admin.services import services
from riverrun_admin.transaction import answer_later, run


async def list_handlers(request: web.Request) -> web.Response:
    """List the registered handlers."""
    refuse_unknown(request, frozenset({"task_type", "lenient", "notice", *CHOICES}))
    if accepts_page_or_json(request):
        return await handlers_page(request)
    kinds = [check_kind(kind, "?task_type") for kind in request.query.getall("task_type", [])]
    found = await handlers_seen(request, kinds or None)
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
        settings={name: getattr(body, name) for name in NAMES},
        args_schema=body.args_schema,
        egress=egress_of(request),
    )
    done = await run(request, registry.register(new, replace=replace, revision=revision_wanted(request)))
    return _respond(done.handler, status=201 if done.created else 200, signing_secret=done.signing_secret)


async def update(request: web.Request) -> web.Response:
    """Change some of what is said about a handler; with If-Match only if nobody has changed it meanwhile."""
    body = validated(HandlerChangeBody, await read_object(request), lenient=is_lenient(request))
    changes = {name: getattr(body, name) for name in body.model_fields_set - {"task_type"}}
    steps = registry.update(body.task_type, changes, revision=revision_wanted(request), egress=egress_of(request))
    return _respond(await run(request, steps))


async def rotate_secret(request: web.Request) -> web.Response:
    """Make a new signing secret; the present one is used beside it for a while."""
    body = validated(SecretBody, await read_object(request), lenient=is_lenient(request))
    keep, revision = timedelta(seconds=body.keep_s), revision_wanted(request)
    secret = await run(request, registry.rotate_secret(body.task_type, keep=keep, revision=revision))
    return _respond(await run(request, registry.handler(body.task_type)), signing_secret=secret)


async def pause(request: web.Request) -> web.Response:
    """Let no job of a kind be claimed."""
    body = validated(HandlerNameBody, await read_object(request), lenient=is_lenient(request))
    await run(request, registry.pause(body.task_type, revision=revision_wanted(request)))
    return _respond(await run(request, registry.handler(body.task_type)))


async def resume(request: web.Request) -> web.Response:
    """Let jobs of a kind be claimed again, and take its service for well."""
    body = validated(HandlerNameBody, await read_object(request), lenient=is_lenient(request))
    await run(request, registry.resume(body.task_type, revision=revision_wanted(request)))
    return _respond(await run(request, registry.handler(body.task_type)))


async def try_out(request: web.Request) -> web.Response:
    """Run one job by a handler, as any job is run but with a single attempt, and tell how it ended."""
    body = validated(TrialBody, await read_object(request), lenient=is_lenient(request))
    new = await handler_actions.begin_trial(request, body.task_type, body.task_params, queue=body.queue)
    job = services(request).mask.job(new)
    answer_later(request, partial(_ended, request, job, wait_seconds=body.wait_s))
    return _tried(job)


async def _ended(request: web.Request, job: Job, *, wait_seconds: float) -> web.Response:
    """Wait for the end of a job; no connection is kept meanwhile."""
    until = time.monotonic() + wait_seconds
    while job.finalized_at is None and time.monotonic() < until:
        await asyncio.sleep(trial.LOOK_SECONDS)
        job = await read_job(request, job.id)
    return _tried(job)


def _tried(job: Job) -> web.Response:
    return respond(job_document(job), status=202 if job.finalized_at is None else 200)


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


def _respond(handler: RegisteredHandler, *, status: int = 200, signing_secret: str | None = None) -> web.Response:
    document: answers.SecretHandler | answers.Handler = handler_document(handler)
    if signing_secret is not None:
        document = {**document, "signing_secret": signing_secret}
    return respond(document, status=status, headers={"ETag": f'"{handler.revision}"'})


def egress_of(request: web.Request) -> Egress:
    return Egress(services(request).settings.handlers.egress)


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
    web.post("/admin/handler/rotate_secret", rotate_secret),
    web.post("/admin/handler/pause", pause),
    web.post("/admin/handler/resume", resume),
    web.post("/admin/handler/test", try_out),
)
