"""Failed jobs, grouped by what went wrong."""

from __future__ import annotations

from aiohttp import web

from riverrun.job_query import failed_alike
from riverrun.store.failures import Failure
from riverrun_admin.pages.overview import recent_failures
from riverrun_admin.pages.render import page


async def errors_page(request: web.Request) -> web.Response:
    """Return the groups of failures, the latest first."""
    found, more = await recent_failures(request)
    return page(request, "errors", failures=found, more=more, line_of=line_of)


def line_of(failure: Failure) -> str:
    """Return the filter that names every job of a group, counted on the page or not."""
    return failed_alike(failure.kind, failure.fingerprint)
