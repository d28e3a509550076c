"""Begin operations on many jobs, for the API and for the forms of the pages alike."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from riverrun.job import JobState
from riverrun.store import bulk_operations
from riverrun.store.bulk_operations import Bulk
from riverrun.store.listing import JobFilter
from riverrun_admin.auditing import note
from riverrun_admin.callers import caller_of
from riverrun_admin.scope import bulk_seen, check_queue_is_theirs
from riverrun_admin.transaction import run


async def begin(
    request: web.Request, action: str, params: Mapping[str, object], wanted: JobFilter, *, text: str
) -> Bulk:
    """Begin an operation on the jobs ``wanted``, which ``text`` says in the words of a filter."""
    actor = caller_of(request).actor
    bulk = await run(request, bulk_operations.begin(action, params, wanted, filter_text=text, actor=actor))
    note(request, target=f"bulk:{bulk.id}")
    return bulk


async def abort(request: web.Request, bulk_id: int) -> Bulk:
    """End an operation where it is; what it has changed stays changed.

    Raises:
        NotFound: There is none, or it is about a queue that the sender's token is not for.
    """
    await bulk_seen(request, bulk_id)
    return await run(request, bulk_operations.abort(bulk_id))


async def clear(request: web.Request, queue: str) -> Bulk:
    """Begin to delete all jobs of a queue that are available."""
    check_queue_is_theirs(request, queue)
    wanted = JobFilter(states=(JobState.AVAILABLE,), queues=(queue,))
    return await begin(request, "delete", {}, wanted, text=f"state:available queue:{queue}")
