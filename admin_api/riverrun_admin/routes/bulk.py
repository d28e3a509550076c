"""Do one thing to every job that a filter names, in the background: begin, watch, abort."""

from __future__ import annotations

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.store import bulk_operations
from riverrun.store.bulk_operations import Bulk
from riverrun_admin import bulk_actions, queue_actions
from riverrun_admin.body import read_object
from riverrun_admin.callers import caller_of
from riverrun_admin.documents import bulk_document, count, respond
from riverrun_admin.filters import is_lenient, number_of, refuse_unknown, rows_wanted
from riverrun_admin.models import BulkBody, BulkIdBody, OneQueueBody
from riverrun_admin.negotiation import accepts_page_or_json
from riverrun_admin.pages.bulk import bulk_page, bulks_page
from riverrun_admin.pages.view import CHOICES
from riverrun_admin.rules import validated
from riverrun_admin.scope import bulk_seen
from riverrun_admin.services import services


async def begin(request: web.Request) -> web.Response:
    """Begin an operation: 202 and its path; with ``dry_run`` only say how many jobs it would find."""
    body = validated(BulkBody, await read_object(request), lenient=is_lenient(request))
    given = {"delay_s": body.delay_s, "priority": body.priority, "queue": body.queue}
    params = bulk_operations.check_action(body.action, given)
    wanted, text = await bulk_actions.meant(request, body.filter, body.job_ids)
    if body.dry_run:
        number = count(await bulk_actions.trial(request, wanted))
        return respond({"action": body.action, "filter": text, "dry_run": True, "count": number})
    return _begun(await bulk_actions.begin(request, body.action, params, wanted, text=text))


async def clear(request: web.Request) -> web.Response:
    """Delete all jobs of a queue that are available: 202 and the path of the operation."""
    body = validated(OneQueueBody, await read_object(request), lenient=is_lenient(request))
    return _begun(await bulk_actions.clear(request, body.queue))


async def drain(request: web.Request) -> web.Response:
    """Pause a queue and say how many of its jobs still run: 0 when it is drained."""
    body = validated(OneQueueBody, await read_object(request), lenient=is_lenient(request))
    names = await queue_actions.pause(request, body.queue)
    return respond(
        {"queues": names, "paused": True, "running": count(await queue_actions.running(request, body.queue))}
    )


async def list_operations(request: web.Request) -> web.Response:
    """List operations, the newest first."""
    refuse_unknown(request, frozenset({"limit", "cursor", "lenient", "notice", *CHOICES}))
    wants_page = accepts_page_or_json(request)
    rows = rows_wanted(request)
    # By their patterns: a queue that was emptied is known no more, and its operations are to be found still.
    before, queues = number_of(request, "cursor"), caller_of(request).queues or None
    steps = bulk_operations.listed(before=before, rows=rows + 1, queues=queues)
    found = await services(request).database.run(steps)
    more = str(found[rows - 1].id) if len(found) > rows else None
    if wants_page:
        return bulks_page(request, found[:rows], more)
    return respond({"data": [bulk_document(bulk) for bulk in found[:rows]], "next_cursor": more})


async def show(request: web.Request) -> web.Response:
    """Return one operation and how far it is."""
    text = request.match_info["bulk_id"]
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidInput("bulk_id", text, "the id of an operation", code="format")
    wants_page, bulk = accepts_page_or_json(request), await bulk_seen(request, int(text))
    return bulk_page(request, bulk) if wants_page else respond(bulk_document(bulk))


async def abort(request: web.Request) -> web.Response:
    """End an operation where it is; what it has changed stays changed."""
    body = validated(BulkIdBody, await read_object(request), lenient=is_lenient(request))
    return respond(bulk_document(await bulk_actions.abort(request, body.bulk_id)))


def _begun(bulk: Bulk) -> web.Response:
    headers = {"Location": f"/admin/queue/bulk/{bulk.id}"}
    return respond(bulk_document(bulk), status=202, headers=headers)


ROUTES = (
    web.post("/admin/queue/bulk", begin),
    web.get("/admin/queue/bulk", list_operations),
    web.get("/admin/queue/bulk/{bulk_id}", show),
    web.post("/admin/queue/bulk/abort", abort),
    web.post("/admin/queue/clear", clear),
    web.post("/admin/queue/drain", drain),
)
