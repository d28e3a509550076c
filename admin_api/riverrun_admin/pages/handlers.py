"""The registered handlers, the kinds that nobody handles, and the form that registers and changes a handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from riverrun.errors import NotFound
from riverrun.names import check_kind
from riverrun.registration import TYPES
from riverrun.store import health
from riverrun.store.figures import PERIODS
from riverrun_admin.callers import caller_of
from riverrun_admin.documents import encoded, safe
from riverrun_admin.pages import figures, formats
from riverrun_admin.pages.render import page
from riverrun_admin.scope import handlers_seen
from riverrun_admin.services import services

_HOUR = PERIODS[1]
MISSING_SECONDS = 5.0


async def handlers_page(request: web.Request) -> web.Response:
    """Return the list of handlers, each with how its attempts of the last hour ended."""
    found = await handlers_seen(request)
    history = await figures.history(request, _HOUR)
    missing = await missing_handlers(request)
    return page(
        request, "handlers", handlers=found, figures={each.kind: each for each in history.kinds}, missing=missing
    )


async def handler_page(request: web.Request) -> web.Response:
    """Return the form for a new handler, or for the one that the query names.

    Raises:
        NotFound: None is registered for the kind.
    """
    kind = request.query.get("task_type")
    known = None
    if kind:
        known = next(iter(await handlers_seen(request, [check_kind(kind, "?task_type")])), None)
        if known is None:
            raise NotFound("handler", kind)
    figure = None
    if known is not None:
        history = await figures.history(request, _HOUR)
        figure = next((each for each in history.kinds if each.kind == known.kind), None)
    return page(
        request,
        "handler",
        handler=known,
        figure=figure,
        types=TYPES,
        new_kind=request.query.get("new", ""),
        settings=_written(known.registration.settings.document()) if known else "",
        schema=_written(known.registration.args_schema) if known else "",
    )


async def missing_handlers(request: web.Request) -> list[tuple[str, str, int]]:
    """Return the kinds that wait without a handler, a few seconds old: kind, a queue, jobs seen."""
    served_by, may_use = services(request), caller_of(request).may_use
    found = await served_by.recent.get(
        "missing", lambda: served_by.database.run(health.unhandled_kinds()), seconds=MISSING_SECONDS
    )
    return [each for each in found if may_use(each[1])]


def _written(said: Mapping[str, Any] | None) -> str:
    return formats.indented(encoded(safe(said)).decode()) if said else ""
