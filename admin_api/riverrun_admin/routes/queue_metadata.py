"""Read and replace what is said about a queue, which River's clients and its own pages show too."""

from __future__ import annotations

import json

import orjson
from aiohttp import web

from riverrun import operations
from riverrun.names import check_any_queue
from riverrun.store.queues import Queue
from riverrun_admin import answers, queue_actions
from riverrun_admin.auditing import note
from riverrun_admin.body import read_object
from riverrun_admin.documents import moment, respond
from riverrun_admin.filters import is_lenient, refuse_unknown
from riverrun_admin.models import QueueMetadataBody
from riverrun_admin.rules import validated
from riverrun_admin.scope import check_queue_is_theirs
from riverrun_admin.services import services


async def read_metadata(request: web.Request) -> web.Response:
    """Return a queue as River keeps it, with its metadata."""
    refuse_unknown(request, frozenset({"queue", "lenient"}))
    queue = check_any_queue(request.query.get("queue"), "?queue")
    check_queue_is_theirs(request, queue)
    return _respond(await services(request).database.run(operations.get_queue(queue)))


async def replace_metadata(request: web.Request) -> web.Response:
    """Replace what is said about a queue, all of it, and tell everybody who works on it."""
    body = validated(QueueMetadataBody, await read_object(request), lenient=is_lenient(request))
    before, after = await queue_actions.describe(request, body.queue, body.metadata)
    note(request, before={"metadata": services(request).mask.value(dict(before.metadata))})
    return _respond(after)


def _respond(queue: Queue) -> web.Response:
    text = json.dumps(dict(queue.metadata), ensure_ascii=False)  # also whole numbers that orjson would refuse
    described: answers.DescribedQueue = {
        "name": queue.name,
        "metadata": orjson.Fragment(text.encode()),
        "paused_at": moment(queue.paused_at),
        "created_at": moment(queue.created_at),
        "updated_at": moment(queue.updated_at),
    }
    return respond(described)


ROUTES = (
    web.get("/admin/queue/metadata", read_metadata),
    web.put("/admin/queue/metadata", replace_metadata),
)
