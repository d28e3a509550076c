"""Turn values into a page: one template language, everything escaped, no script, no style within the page."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from riverrun.job import JobState
from riverrun.names import MAX_PRIORITY
from riverrun_admin.callers import caller_of, is_known
from riverrun_admin.pages import formats
from riverrun_admin.pages.texts import COOKIE, LANGUAGES, language_of, translator
from riverrun_admin.problems import Problem
from riverrun_admin.services import services

STATES = (
    JobState.AVAILABLE,
    JobState.RUNNING,
    JobState.SCHEDULED,
    JobState.RETRYABLE,
    JobState.PENDING,
    JobState.COMPLETED,
    JobState.CANCELLED,
    JobState.DISCARDED,
)
"""The states in the order in which a job may pass through them."""

NAVIGATION = (
    ("overview", "queue/dashboard"),
    ("jobs", "queue/jobs"),
    ("queues", "queue/list"),
    ("handlers", "handler/list"),
    ("schedules", "schedule/list"),
    ("servers", "server/list"),
)

NOTICES = frozenset({"paused", "resumed", "scaled", "cancelled", "cancel_requested", "retried", "deleted"})
"""What a form may have done; the page after it says so."""

_TYPES = {"css": "text/css", "svg": "image/svg+xml"}


def page(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """Return the page of ``template``, in the language of the reader."""
    language = language_of(request)
    text = translator(language)
    notice = request.query.get("notice")
    html = (
        _environment()
        .get_template(f"{template}.html")
        .render(
            text=text,
            language=language,
            languages=LANGUAGES,
            base=base_of(request),
            navigation=NAVIGATION,
            here=template,
            server_id=services(request).settings.server_id,
            is_open=services(request).door.is_open,
            caller=caller_of(request) if is_known(request) else None,
            notice=notice if notice in NOTICES else None,
            language_link=lambda name: f"?{_with(request, 'lang', name)}",
            span=formats.spans(text),
            moment=formats.moments(text, datetime.now(UTC)),
            **values,
        )
    )
    response = web.Response(text=html, status=status, content_type="text/html")
    if request.query.get("lang") in LANGUAGES:
        response.set_cookie(
            COOKIE, language, max_age=365 * 86_400, path="/", samesite="Lax", httponly=True, secure=request.secure
        )
    return response


def error_page(request: web.Request, problem: Problem) -> web.Response:
    """Return ``problem`` as a page."""
    response = page(request, "error", status=problem.status, problem=problem)
    response.headers.update(problem.headers)
    return response


def base_of(request: web.Request) -> str:
    """Return the way from this page up to ``/admin/``, relative, so that pages work under any prefix of a proxy."""
    depth = request.path.count("/")
    return "../" * (depth - 2) if depth > 2 else "./" if request.path.startswith("/admin/") else "admin/"


@cache
def static_files() -> dict[str, tuple[bytes, str, str]]:
    """Return the static files by name: content, type and ETag."""
    found = {}
    for file in (files("riverrun_admin") / "static").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            content = file.read_bytes()
            found[file.name] = (content, kind, hashlib.sha256(content).hexdigest()[:16])
    return found


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(str(files("riverrun_admin") / "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = formats.number
    environment.filters["indented"] = formats.indented
    environment.filters["segment"] = lambda value: quote(str(value), safe="")
    environment.globals["states"] = STATES
    environment.globals["priorities"] = range(1, MAX_PRIORITY + 1)
    environment.globals["version_of"] = lambda name: static_files()[name][2]
    return environment


def _with(request: web.Request, name: str, value: str) -> str:
    """Return the query of ``request`` with one parameter replaced."""
    query = request.rel_url.query.copy()
    query.pop("notice", None)
    query[name] = value
    return request.rel_url.with_query(query).raw_query_string
