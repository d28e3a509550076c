"""Enqueue the job of a schedule now, for the API and for the forms of the pages alike."""

from __future__ import annotations

from aiohttp import web

from riverrun.job import Job
from riverrun.store import schedules
from riverrun_admin.services import services
from riverrun_admin.transaction import run


async def run_now(request: web.Request, name: str) -> Job:
    """Enqueue the job of a schedule once more, with what its queue gives to jobs that say nothing.

    Raises:
        NotFound: There is no such schedule.
    """
    river = services(request).settings.river
    schedule = await run(request, schedules.get(name))
    queue = river.queues.get(schedule.queue)
    steps = schedules.run_now(name, priority=queue.priority if queue else 1, max_attempts=river.max_attempts)
    return (await run(request, steps)).job
