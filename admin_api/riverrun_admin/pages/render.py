"""Turn values into a page: one template language, everything escaped, no script, no style within the page."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from yarl import URL

from riverrun import __version__
from riverrun.access import Role
from riverrun.job import JobState
from riverrun.names import MAX_PRIORITY
from riverrun_admin.callers import NOBODY, caller_of, is_known
from riverrun_admin.pages import formats
from riverrun_admin.pages.assets import modules, version
from riverrun_admin.pages.charts import spark
from riverrun_admin.pages.texts import catalog, translator
from riverrun_admin.pages.view import CHOICES, keep, view_of
from riverrun_admin.problems import Problem
from riverrun_admin.roles import opens
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
    ("overview", "queue/dashboard", "o"),
    ("jobs", "queue/jobs", "j"),
    ("errors", "error/list", "e"),
    ("queues", "queue/list", "q"),
    ("handlers", "handler/list", "h"),
    ("schedules", "schedule/list", "s"),
    ("servers", "server/list", "v"),
    ("bulk", "queue/bulk", "b"),
    ("audit", "audit/list", "a"),
    ("tokens", "token/list", "k"),
    ("settings", "page/settings", ","),
)
"""Each section: its name, its path, and the key that leads there after ``g``."""

_SECTIONS = {
    "job": "jobs", "enqueue": "jobs", "queue": "queues", "schedule": "schedules", "handler": "handlers",
    "operation": "bulk", "bulk_ask": "jobs", "token": "tokens",
}  # fmt: skip
"""The section to which a page belongs that is none itself."""

NOTICES = frozenset(key.removeprefix("notice.") for key in catalog("en") if key.startswith("notice."))
"""What a form may have done; the page after it says so."""

SCRIPT_TEXTS = tuple(key for key in catalog("en") if key.startswith(("keys.", "live.", "script.", "time.", "unit.")))
"""What the modules say; a page brings it along in its own language."""


def page(request: web.Request, template: str, *, status: int = 200, address: str = "", **values: Any) -> web.Response:
    """Return the page of ``template``, in the language of the reader.

    Args:
        request: Who reads it.
        template: Name of the file.
        status: HTTP status.
        address: Where below ``/admin/`` the page stands, with its query, when the request was for something else.
        values: What the template needs.
    """
    view = view_of(request)
    text = translator(view["lang"])
    notice = request.query.get("notice")
    caller = caller_of(request) if is_known(request) else NOBODY
    settings = services(request).settings
    html = (
        _environment()
        .get_template(f"{template}.html")
        .render(
            text=text,
            words=catalog(view["lang"]),
            view=view,
            language=view["lang"],
            choices=CHOICES,
            base=base_of(request),
            static=f"{base_of(request)}static/{version()}/",
            navigation=[each for each in NAVIGATION if opens(caller, "GET", f"/admin/{each[1]}")],
            may=lambda role: caller.role.allows(Role(role)),
            here=template,
            section=_SECTIONS.get(template, template),
            server_id=settings.server_id,
            environment=settings.admin.environment,
            colour=settings.admin.colour,
            is_open=services(request).door.is_open,
            caller=caller,
            notice=notice if notice in NOTICES else None,
            view_link=lambda name, value: _with(request, address, name, value),
            searched=request.query.get("filter", ""),
            span=formats.spans(text),
            moment=formats.moments(text, datetime.now(UTC)),
            **values,
        )
    )
    response = web.Response(text=html, status=status, content_type="text/html")
    keep(request, response)
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
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(str(files("riverrun_admin") / "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = formats.number
    environment.filters["percent"] = formats.percent
    environment.filters["indented"] = formats.indented
    environment.filters["segment"] = lambda value: quote(str(value), safe="")
    environment.globals["states"] = STATES
    environment.globals["priorities"] = range(1, MAX_PRIORITY + 1)
    environment.globals["modules"] = modules()
    environment.globals["spark"] = spark
    environment.globals["script_texts"] = SCRIPT_TEXTS
    environment.globals["release"] = __version__
    return environment


def _with(request: web.Request, address: str, name: str, value: str) -> str:
    """Return the way to the page of ``request``, or to ``address``, with one parameter of its query replaced."""
    url = URL(address, encoded=True) if address else request.rel_url
    query = url.query.copy()
    for dropped in ("notice", *(CHOICES if name in CHOICES else ())):
        query.pop(dropped, None)  # what was chosen before is in a cookie
    query[name] = value
    return f"{base_of(request) + url.path if address else ''}?{url.with_query(query).raw_query_string}"
