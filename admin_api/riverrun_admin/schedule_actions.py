"""Make, change and use schedules, for the API and for the forms of the pages alike, within the queues of the sender."""

from __future__ import annotations

from aiohttp import web

from riverrun.job import Job
from riverrun.masking import check_shown
from riverrun.schedule import NewSchedule, Schedule
from riverrun.store import registry, schedules
from riverrun_admin.scope import check_queue_is_theirs, schedule_seen
from riverrun_admin.services import services
from riverrun_admin.transaction import run


async def create(request: web.Request, said: NewSchedule) -> Schedule:
    """Make a schedule; raises as `schedules.create`."""
    check_queue_is_theirs(request, said.queue)
    return await run(request, schedules.create(said))


async def update(request: web.Request, said: NewSchedule, *, revision: int | None) -> Schedule:
    """Make a schedule what ``said`` is; raises as `schedules.update`, and where what is hidden of it would be lost."""
    check_queue_is_theirs(request, said.queue)
    stored = await schedule_seen(request, said.name)
    check_shown(said.args_text, "task_params", stored=stored.args_text)
    check_shown(said.metadata_text, "metadata", stored=stored.metadata_text)
    return await run(request, schedules.update(said, revision=revision))


async def delete(request: web.Request, name: str, *, revision: int | None = None) -> None:
    """Delete a schedule; raises as `schedules.delete`."""
    await schedule_seen(request, name)
    await run(request, schedules.delete(name, revision=revision))


async def pause(request: web.Request, name: str) -> Schedule:
    """Let a schedule enqueue nothing until it is resumed."""
    await schedule_seen(request, name)
    return await run(request, schedules.pause(name))


async def resume(request: web.Request, name: str) -> Schedule:
    """Let a schedule go on from now."""
    await schedule_seen(request, name)
    return await run(request, schedules.resume(name))


async def run_now(request: web.Request, name: str) -> Job:
    """Enqueue the job of a schedule once more, with what its queue and its handler give to jobs that say nothing.

    Raises:
        NotFound: There is no such schedule, or the sender may not see it.
    """
    river = services(request).settings.river
    schedule = await schedule_seen(request, name)
    retry_count = await run(request, registry.retry_count(schedule.kind))
    steps = schedules.run_now(
        name, priority=river.priority_of(schedule.queue), max_attempts=river.max_attempts_of(retry_count)
    )
    return (await run(request, steps)).job
