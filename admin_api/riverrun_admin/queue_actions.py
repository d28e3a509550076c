"""Pause, resume, scale and describe queues, for the API and for the forms of the pages alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiohttp import web

from riverrun import operations
from riverrun.errors import NotFound
from riverrun.job import JobState
from riverrun.pauses import new_pause
from riverrun.store import listing, queues, statistics
from riverrun.store.listing import Count
from riverrun.store.queues import Queue
from riverrun_admin.callers import caller_of
from riverrun_admin.scope import check_queue_is_theirs
from riverrun_admin.services import services
from riverrun_admin.transaction import run


async def pause(request: web.Request, queue: str, *, reason: str = "", resume_at: datetime | None = None) -> list[str]:
    """Pause a queue, or all that are known with ``*``; return their names.

    Raises:
        InvalidInput: The reason is too long.
        NotFound: Nobody knows the queue: no job, no executor, no setting, no configuration names it.
    """
    check_queue_is_theirs(request, queue)
    said = new_pause(reason, actor=caller_of(request).actor, resume_at=resume_at)
    await _make_known(request, queue)
    return await run(request, queues.pause(queue, said))


async def resume(request: web.Request, queue: str) -> list[str]:
    """Let a queue go on, or all that are known with ``*``; return their names. Raises as ``pause``."""
    check_queue_is_theirs(request, queue)
    await _make_known(request, queue)
    return await run(request, queues.resume(queue))


async def describe(request: web.Request, queue: str, metadata: Mapping[str, object]) -> tuple[Queue, Queue]:
    """Replace the metadata of a queue; return it as it was before and as it is now. Raises as ``pause``."""
    check_queue_is_theirs(request, queue)
    await _make_known(request, queue)
    before = await run(request, operations.get_queue(queue))
    return before, await run(request, operations.set_queue_metadata(queue, metadata))


async def running(request: web.Request, queue: str) -> Count:
    """Return how many jobs of a queue run now."""
    found = await run(request, listing.count_states((JobState.RUNNING,), queues=[queue]))
    return found[JobState.RUNNING]


async def scale(request: web.Request, queue: str, max_workers: int | None, *, server_id: str | None = None) -> None:
    """Set how many slots a queue has, on one server or on all; without a number the configuration counts again."""
    check_queue_is_theirs(request, queue)
    await run(request, queues.scale(queue, max_workers, server_id=server_id or ""))


async def _make_known(request: web.Request, queue: str) -> None:
    """Give River's table a row for a queue that so far only has jobs or a configuration: a pause is kept there."""
    if queue == "*":
        return
    configured = services(request).settings.river.queues
    if queue not in configured and queue not in await run(request, statistics.queue_names()):
        raise NotFound("queue", queue)
    await run(request, queues.announce(queue))
