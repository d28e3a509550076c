"""Enqueue jobs; pause, resume and scale queues; say how they stand."""

from __future__ import annotations

import hashlib

from aiohttp import web

from riverrun_admin import enqueueing, queue_actions
from riverrun_admin.body import read_object
from riverrun_admin.documents import encoded, queue_document, respond, statistics_document
from riverrun_admin.enqueue_stream import enqueue_stream
from riverrun_admin.filters import is_lenient
from riverrun_admin.models import EnqueueBody, EnqueueManyBody, PauseBody, QueueBody, ScaleBody
from riverrun_admin.negotiation import accepts_page_or_json
from riverrun_admin.pages.overview import overview_page
from riverrun_admin.pages.queues import queues_page
from riverrun_admin.rules import validated
from riverrun_admin.scope import snapshot_seen
from riverrun_admin.stream import is_stream


async def enqueue(request: web.Request) -> web.Response:
    """Enqueue one job: 201 and its path, or 200 and the job that was there when it is a duplicate."""
    value = await read_object(request)
    body = validated(EnqueueBody, value, lenient=is_lenient(request))
    results, (document,) = await enqueueing.enqueue(request, [body])
    headers = {"Location": f"/admin/queue/jobs/{results[0].job.id}"}
    return respond(document, status=200 if results[0].duplicate else 201, headers=headers)


async def enqueue_many(request: web.Request) -> web.Response:
    """Enqueue up to 1,000 jobs, or a stream of any length, all or none of them."""
    if is_stream(request):
        return respond(await enqueue_stream(request), status=201)
    value = await read_object(request)
    body = validated(EnqueueManyBody, value, lenient=is_lenient(request))
    _, documents = await enqueueing.enqueue(request, body.jobs, path="jobs.")
    return respond({"jobs": documents}, status=201)


async def pause(request: web.Request) -> web.Response:
    """Pause a queue, or all that are known."""
    body = validated(PauseBody, await read_object(request), lenient=is_lenient(request))
    names = await queue_actions.pause(request, body.queue, reason=body.reason, resume_at=body.resume_at)
    return respond({"queues": names, "paused": True})


async def resume(request: web.Request) -> web.Response:
    """Let a queue go on, or all that are known."""
    body = validated(QueueBody, await read_object(request), lenient=is_lenient(request))
    return respond({"queues": await queue_actions.resume(request, body.queue), "paused": False})


async def scale(request: web.Request) -> web.Response:
    """Set how many slots a queue has, on one server or on all."""
    body = validated(ScaleBody, await read_object(request), lenient=is_lenient(request))
    await queue_actions.scale(request, body.queue, body.max_workers, server_id=body.server_id)
    return respond({"queue": body.queue, "max_workers": body.max_workers, "server_id": body.server_id})


async def stats(request: web.Request) -> web.Response:
    """Return the statistics of all states, queues and servers; 304 to who has them already."""
    if accepts_page_or_json(request):
        return await overview_page(request)
    return await _statistics(request)


async def dashboard(request: web.Request) -> web.Response:
    """Return the overview: a page to browsers, its data to programs."""
    if accepts_page_or_json(request):
        return await overview_page(request)
    return await _statistics(request)


async def list_queues(request: web.Request) -> web.Response:
    """List the queues with their statistics."""
    if accepts_page_or_json(request):
        return await queues_page(request)
    snapshot = await snapshot_seen(request)
    return respond({"data": [queue_document(queue) for queue in snapshot.statistics.queues], "next_cursor": None})


async def _statistics(request: web.Request) -> web.Response:
    snapshot = await snapshot_seen(request)
    document = statistics_document(snapshot)
    etag = hashlib.sha256(encoded(document)).hexdigest()[:32]
    headers = {"ETag": f'"{etag}"'}
    if request.if_none_match and any(each.value in (etag, "*") for each in request.if_none_match):
        return web.Response(status=304, headers=headers)
    return respond({**document, "stale_s": round(snapshot.age_seconds, 3)}, headers=headers)


ROUTES = (
    web.post("/admin/queue/enqueue", enqueue),
    web.post("/admin/queue/enqueue_many", enqueue_many),
    web.post("/admin/queue/pause", pause),
    web.post("/admin/queue/resume", resume),
    web.post("/admin/queue/scale", scale),
    web.get("/admin/queue/stats", stats),
    web.get("/admin/queue/list", list_queues),
    web.get("/admin/queue/dashboard", dashboard),
)
