"""Begin operations on many jobs, for the API and for the forms of the pages alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from riverrun import job_query
from riverrun.errors import InvalidInput
from riverrun.job import JobState
from riverrun.store import bulk_operations
from riverrun.store.bulk_operations import Bulk
from riverrun.store.listing import Count, JobFilter
from riverrun_admin.auditing import note
from riverrun_admin.callers import caller_of
from riverrun_admin.database import QueryTimeout
from riverrun_admin.problems import Problem
from riverrun_admin.scope import NO_QUEUE, bulk_seen, check_queue_is_theirs, narrowed
from riverrun_admin.transaction import run, run_apart


async def meant(request: web.Request, line: str | None, ids: Sequence[int] | None) -> tuple[JobFilter, str]:
    """Return the jobs that a filter or a selection means, in the queues of the sender, and how to say it.

    Raises:
        InvalidInput: Neither or both are given, or the filter means all jobs.
        Problem: 403, none of the queues is the sender's.
    """
    if (line is None) == (ids is None):
        raise InvalidInput("filter", line, "exactly one of filter and job_ids", code="required")
    if ids is not None:
        found, text = JobFilter(ids=tuple(dict.fromkeys(ids))), f"{len(set(ids))} selected"
    else:
        found, text = job_query.parse(line or "", "filter"), line or ""
        if found == JobFilter():
            raise InvalidInput("filter", line, "at least one term, such as state:discarded", code="required")
    seen = await narrowed(request, found)
    if seen.queues == NO_QUEUE:
        raise Problem(403, "forbidden", "this token is for none of the queues that the filter names")
    return seen, text


async def trial(request: web.Request, wanted: JobFilter) -> Count | None:
    """Return how many jobs match, up to 10,000; None when that cannot be said within two seconds."""
    try:
        return await run_apart(request, bulk_operations.count(wanted))
    except QueryTimeout:
        return None


async def begin(
    request: web.Request, action: str, params: Mapping[str, object], wanted: JobFilter, *, text: str
) -> Bulk:
    """Begin an operation on the jobs ``wanted``, which ``text`` says in the words of a filter.

    Raises:
        Problem: 403, the jobs shall go to a queue that the sender's token is not for.
    """
    if "queue" in params:
        check_queue_is_theirs(request, str(params["queue"]))
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
    return await begin(request, "delete", {}, wanted, text=f"state:available {job_query.term('queue', [queue])}")
