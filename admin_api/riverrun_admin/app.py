"""The aiohttp application: what happens around every request, and which parts serve it.

observe ── every exception becomes a problem ── door ── answer once ── record changes ── route
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from riverrun.telemetry import metrics
from riverrun_admin.auditing import note_refused, record_changes
from riverrun_admin.callers import name_request, request_id_of
from riverrun_admin.forms import bulk as bulk_forms
from riverrun_admin.forms import change as change_forms
from riverrun_admin.forms import handler as handler_forms
from riverrun_admin.forms import job as job_forms
from riverrun_admin.forms import queue as queue_forms
from riverrun_admin.forms import schedule as schedule_forms
from riverrun_admin.forms import token as token_forms
from riverrun_admin.negotiation import prefers_html
from riverrun_admin.pages.login import login_page
from riverrun_admin.pages.refusal import refused_page
from riverrun_admin.pages.texts import language_of
from riverrun_admin.problems import problem_of
from riverrun_admin.roles import check_every_route_has_a_role
from riverrun_admin.routes import (
    audit,
    bulk,
    callback,
    changes,
    error,
    events,
    export,
    handler,
    health,
    jobs,
    pages,
    queue,
    queue_metadata,
    reference,
    schedule,
    server,
    session,
    token,
)
from riverrun_admin.services import SERVICES, Services, services
from riverrun_admin.transaction import answer_once

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
_COMPRESSED = frozenset({"text/html", "text/css", "text/javascript", "image/svg+xml"})
"""What browsers load. Nothing of it is secret to who may send a request along with the reader's cookie: nobody else."""

_HEADERS = {
    "Server": "riverrun",
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    # Not no-referrer: browsers would then send Origin: null with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


_PARTS = (
    queue, queue_metadata, callback, events, export, jobs, changes, bulk, error, handler, schedule, server, session,
    token, audit, reference, health, pages, queue_forms, change_forms, job_forms, schedule_forms, handler_forms,
    bulk_forms, token_forms,
)  # fmt: skip


def build(parts: Services) -> web.Application:
    """Return the application.

    Raises:
        RuntimeError: A route has no role, or the other way round.
    """
    # Each body is read with a limit of its own; aiohttp's one for all is switched off.
    app = web.Application(middlewares=[observe, explain, admit, answer_once, record_changes], client_max_size=0)
    app[SERVICES] = parts
    app.on_response_prepare.append(_put_headers)
    app.on_startup.append(reference.remember_document)
    for part in _PARTS:
        app.router.add_routes(part.ROUTES)
    check_every_route_has_a_role(app.router.routes())
    return app


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count and time a request, and name it."""
    started = time.monotonic()
    request_id = name_request(request)
    response = await handler(request)
    if isinstance(response, web.Response) and response.content_type in _COMPRESSED:
        response.enable_compression()
    resource = request.match_info.route.resource
    method = request.method if request.method in _METHODS else "_other"
    route = resource.canonical if resource is not None else "_unknown"
    elapsed = time.monotonic() - started
    metrics.admin_http_requests.labels(method=method, route=route, code=str(response.status)).inc()
    metrics.admin_http_request_duration.labels(method=method, route=route).observe(elapsed)
    log.log(
        logging.DEBUG if method in ("GET", "HEAD") else logging.INFO,
        "request_answered",
        extra={
            "method": method,
            "route": route,
            "status": response.status,
            "seconds": round(elapsed, 4),
            "request_id": request_id,
        },
    )
    return response


async def _put_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on a response that every one has; also on one that is a stream."""
    response.headers["X-Request-Id"] = request_id_of(request)
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("Vary", "Accept, Accept-Encoding, Accept-Language, Cookie")


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised into a problem document, or into a page for a browser that asked for one."""
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001 - problem_of logs what nobody expected
        problem = problem_of(error)
        note_refused(request, problem)
        problem = problem.said_in(language_of(request))
        if prefers_html(request):
            return login_page(request) if problem.status == 401 else await refused_page(request, problem)
        return problem.response(request_id_of(request))


@web.middleware
async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in whom the door lets in."""
    await services(request).door.admit(request)
    return await handler(request)
