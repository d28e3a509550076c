"""The registered handlers, the kinds that nobody handles, and the form that registers and changes a handler."""

from __future__ import annotations

from aiohttp import web

from riverrun.errors import NotFound
from riverrun.names import check_kind
from riverrun.registration import TYPES
from riverrun.store.figures import PERIODS
from riverrun_admin.pages import figures
from riverrun_admin.pages.render import page
from riverrun_admin.scope import handlers_seen

_HOUR = PERIODS[1]


async def handlers_page(request: web.Request) -> web.Response:
    """Return the list of handlers, each with how its attempts of the last hour ended."""
    found = await handlers_seen(request)
    history = await figures.history(request, _HOUR)
    return page(request, "handlers", handlers=found, figures={each.kind: each for each in history.kinds})


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
    return page(request, "handler", handler=known, types=TYPES)
