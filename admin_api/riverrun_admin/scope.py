"""Keeps a sender to the queues that their token is for: elsewhere nothing is changed, and nothing is seen.

What a route reads, it reads from here, so that one that shows jobs, queues, schedules, handlers or operations shows the
sender's own. ``roles.MINDS_QUEUES`` lists the routes that do; every other one is closed to a token for some queues.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web

from riverrun.errors import NotFound
from riverrun.schedule import Schedule
from riverrun.store import bulk_operations, figures, jobs, registry, schedules, statistics
from riverrun.store.bulk_operations import Bulk
from riverrun.store.listing import JobFilter
from riverrun.store.registry import RegisteredHandler
from riverrun_admin.callers import caller_of
from riverrun_admin.overview import Snapshot
from riverrun_admin.problems import Problem
from riverrun_admin.services import services
from riverrun_admin.topics import OF_ALL_QUEUES, ids_of, of_queues
from riverrun_admin.transaction import is_begun, run

NO_QUEUE = ("|",)
"""No queue is called so: a filter without queues would mean all of them."""

KINDS_SECONDS = 5.0


def check_queue_is_theirs(request: web.Request, queue: str) -> None:
    """Refuse a queue, or ``*`` for all of them, that the sender's token is not for.

    Raises:
        Problem: 403.
    """
    caller = caller_of(request)
    if caller.queues and (queue == "*" or not caller.may_use(queue)):
        raise Problem(403, "forbidden", f"this token is not for the queue {queue}")


async def snapshot_seen(request: web.Request) -> Snapshot:
    """Return the statistics of the queues that the sender may see."""
    return await services(request).overview.snapshot(caller_of(request).queues)


async def queues_seen(request: web.Request) -> tuple[str, ...] | None:
    """Return the names of the queues that the sender may see; None: every one."""
    caller = caller_of(request)
    if not caller.queues:
        return None
    if is_begun(request):
        names = await run(request, statistics.queue_names())
        return tuple(name for name in names if caller.may_use(name))
    return tuple(queue.name for queue in (await snapshot_seen(request)).statistics.queues)


async def narrowed(request: web.Request, wanted: JobFilter) -> JobFilter:
    """Return ``wanted`` with none but the queues that the sender may see."""
    seen = await queues_seen(request)
    if seen is None:
        return wanted
    may_use = caller_of(request).may_use
    return replace(wanted, queues=tuple(queue for queue in wanted.queues or seen if may_use(queue)) or NO_QUEUE)


async def theirs(request: web.Request, job_ids: Sequence[int]) -> list[int]:
    """Return those of the jobs that are in queues of the sender; of the others they learn nothing."""
    caller = caller_of(request)
    if not caller.queues:
        return list(job_ids)
    found = await run(request, jobs.queues_of(job_ids))
    return [job_id for job_id in job_ids if job_id in found and caller.may_use(found[job_id])]


async def schedules_seen(request: web.Request) -> list[Schedule]:
    """Return the schedules that enqueue into queues of the sender."""
    found = await services(request).database.run(schedules.list_all())
    return [each for each in found if caller_of(request).may_use(each.queue)]


async def schedule_seen(request: web.Request, name: str) -> Schedule:
    """Return one schedule.

    Raises:
        NotFound: There is none, or it enqueues into a queue that the sender's token is not for.
    """
    schedule = await run(request, schedules.get(name))
    if not caller_of(request).may_use(schedule.queue):
        raise NotFound("schedule", name)
    return schedule


async def handlers_seen(request: web.Request, kinds: Sequence[str] | None = None) -> list[RegisteredHandler]:
    """Return the handlers, of ``kinds`` or all; to a token for some queues those whose jobs ran there of late."""
    database, seen = services(request).database, await queues_seen(request)
    found = await database.run(registry.handlers(kinds))
    if seen is None:
        return found
    run_there = await services(request).recent.get(
        ("kinds", seen), lambda: database.run(figures.kinds_of(seen, datetime.now(UTC))), seconds=KINDS_SECONDS
    )
    return [each for each in found if each.kind in run_there]


async def bulk_seen(request: web.Request, bulk_id: int) -> Bulk:
    """Return one operation.

    Raises:
        NotFound: There is none, or it is about a queue that the sender's token is not for.
    """
    return await run(request, bulk_operations.get(bulk_id, queues=caller_of(request).queues or None))


async def topics_seen(request: web.Request, topics: frozenset[str], *, before: bool = False) -> frozenset[str]:
    """Return ``topics`` with those of all queues narrowed to the sender's own.

    Args:
        request: Who wants to watch them.
        topics: What they want to watch.
        before: They have seen it before: a job that is not there any more was theirs.

    Raises:
        Problem, NotFound: One of them is about a queue that the sender's token is not for.
    """
    caller = caller_of(request)
    if not caller.queues:
        return topics
    for topic in topics:
        if topic.startswith("queue:"):
            check_queue_is_theirs(request, topic.removeprefix("queue:"))
    for bulk_id in ids_of("bulk", topics):
        await bulk_seen(request, bulk_id)
    ids = ids_of("job", topics)
    found = await run(request, jobs.queues_of(ids))
    for job_id in ids:
        if not (before if job_id not in found else caller.may_use(found[job_id])):
            raise NotFound("job", job_id)
    return frozenset(of_queues(topic, caller.queues) if topic in OF_ALL_QUEUES else topic for topic in topics)
