"""The operations on many jobs: those that run with how far they are, and those that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from aiohttp import web

from riverrun.store.bulk_operations import Bulk
from riverrun_admin.pages.render import page


def bulks_page(request: web.Request, found: Sequence[Bulk], next_cursor: str | None) -> web.Response:
    """Return the list of operations."""
    return page(
        request,
        "bulk",
        bulks=found,
        next_cursor=next_cursor,
        on_first_page=not request.query.get("cursor"),
        jobs_of=jobs_of,
    )


def bulk_page(request: web.Request, bulk: Bulk) -> web.Response:
    """Return one operation."""
    return page(request, "operation", bulk=bulk, jobs_of=jobs_of)


def jobs_of(bulk: Bulk) -> str | None:
    """Return the query that lists the jobs of an operation; none when they were ticked one by one."""
    return None if bulk.wanted.ids else urlencode({"filter": bulk.filter})
