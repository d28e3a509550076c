"""Make, change, delete, pause and resume a schedule, and enqueue its job now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from aiohttp import web

from riverrun.names import check_schedule_name
from riverrun.schedule import NewSchedule, Schedule, new_schedule
from riverrun_admin import schedule_actions
from riverrun_admin.forms.fields import Fields, back_to, read_fields
from riverrun_admin.scope import schedule_seen


async def act(request: web.Request) -> web.StreamResponse:
    """Pause or resume the schedule that the form names."""
    action = _ACTIONS.get(request.match_info["action"])
    if action is None:
        raise web.HTTPNotFound
    switch, notice = action
    fields = await read_fields(request)
    await switch(request, check_schedule_name(fields.text("name"), "name"))
    return back_to(request, fields.back("schedule/list"), notice)


async def enqueue(request: web.Request) -> web.StreamResponse:
    """Enqueue the job of a schedule now, and show it."""
    fields = await read_fields(request)
    job = await schedule_actions.run_now(request, check_schedule_name(fields.text("name"), "name"))
    return back_to(request, f"queue/jobs/{job.id}", "enqueued")


async def save(request: web.Request) -> web.StreamResponse:
    """Make a schedule, or make one that is there what the form says."""
    fields = await read_fields(request)
    revision, args = fields.number("revision"), fields.text("task_params") or "{}"
    if not isinstance(revision, int):
        await schedule_actions.create(request, _said(fields, args))
    else:
        if not fields.every("task_params"):  # a form that could not show them whole has no field for them
            args = (await schedule_seen(request, check_schedule_name(fields.text("name"), "name"))).args_text
        await schedule_actions.update(request, _said(fields, args), revision=revision)
    return back_to(request, "schedule/list", "schedule_saved")


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete a schedule; jobs that it has enqueued stay."""
    fields = await read_fields(request)
    await schedule_actions.delete(request, check_schedule_name(fields.text("name"), "name"))
    return back_to(request, "schedule/list", "schedule_deleted")


def _said(fields: Fields, args: str) -> NewSchedule:
    every = fields.seconds("every_s")
    return new_schedule(
        fields.text("name"),
        kind=fields.text("task_type"),
        cron=fields.optional("cron"),
        every=None if every is None else timedelta(seconds=every),
        timezone=fields.text("timezone") or "UTC",
        args=args,
        queue=fields.text("queue") or "default",
        priority=fields.number("priority"),
        max_attempts=fields.number("max_attempts"),
        tags=tuple(tag.strip() for tag in fields.text("tags").split(",") if tag.strip()),
        missed=fields.text("missed") or "latest",
    )


_ACTIONS: Mapping[str, tuple[Callable[[web.Request, str], Awaitable[Schedule]], str]] = {
    "pause": (schedule_actions.pause, "schedule_paused"),
    "resume": (schedule_actions.resume, "schedule_resumed"),
}
"""What to do, and the notice of the page after it."""

ROUTES = (
    web.post("/admin/form/schedule", save),
    web.post("/admin/form/schedule/delete", delete),
    web.post("/admin/form/schedule/run", enqueue),
    web.post("/admin/form/schedule/{action}", act),
)
