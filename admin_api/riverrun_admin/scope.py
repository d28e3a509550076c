"""Keeps a sender to the queues that their token is for: elsewhere nothing is changed, and nothing is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from riverrun.store import jobs
from riverrun.store.listing import JobFilter
from riverrun_admin.callers import caller_of
from riverrun_admin.problems import Problem
from riverrun_admin.services import services
from riverrun_admin.transaction import run


def check_queue_is_theirs(request: web.Request, queue: str) -> None:
    """Refuse a queue, or ``*`` for all of them, that the sender's token is not for.

    Raises:
        Problem: 403.
    """
    caller = caller_of(request)
    if caller.queues and (queue == "*" or not caller.may_use(queue)):
        raise Problem(403, "forbidden", f"this token is not for the queue {queue}")


async def narrowed(request: web.Request, wanted: JobFilter) -> JobFilter:
    """Return ``wanted`` with none but the queues that the sender may see."""
    caller = caller_of(request)
    if not caller.queues:
        return wanted
    asked = wanted.queues
    if not asked:
        snapshot = await services(request).overview.snapshot()
        asked = tuple(queue.name for queue in snapshot.statistics.queues)
    # No queue is called "|": a filter without queues would mean all of them.
    return replace(wanted, queues=tuple(queue for queue in asked if caller.may_use(queue)) or ("|",))


async def theirs(request: web.Request, job_ids: Sequence[int]) -> list[int]:
    """Return those of the jobs that are in queues of the sender; of the others they learn nothing."""
    caller = caller_of(request)
    if not caller.queues:
        return list(job_ids)
    found = await run(request, jobs.queues_of(job_ids))
    return [job_id for job_id in job_ids if job_id in found and caller.may_use(found[job_id])]
