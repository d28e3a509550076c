"""List failed jobs by what went wrong."""

from __future__ import annotations

from aiohttp import web

from riverrun.job_query import failed_alike
from riverrun.store.failures import Failure
from riverrun_admin import answers
from riverrun_admin.documents import moment, respond
from riverrun_admin.negotiation import accepts_page_or_json
from riverrun_admin.pages.errors import errors_page
from riverrun_admin.pages.overview import recent_failures


async def list_errors(request: web.Request) -> web.Response:
    """List the groups of the newest failures, the latest first; ``complete`` is false when older ones were left out."""
    if accepts_page_or_json(request):
        return await errors_page(request)
    found, more = await recent_failures(request)
    return respond({"data": [_document(each) for each in found], "next_cursor": None, "complete": not more})


def _document(failure: Failure) -> answers.Failure:
    return {
        "fingerprint": failure.fingerprint,
        "task_type": failure.kind,
        "message": failure.message,
        "example": failure.example,
        "newest_job_id": failure.newest,
        "queues": failure.queues,
        "discarded": failure.discarded,
        "retryable": failure.retryable,
        "last_1h": failure.hour,
        "last_24h": failure.day,
        "last_7d": failure.week,
        "first_at": moment(failure.first_at),
        "last_at": moment(failure.last_at),
        "job_ids": failure.ids,
        "filter": failed_alike(failure.kind, failure.fingerprint),
    }


ROUTES = (web.get("/admin/error/list", list_errors),)
