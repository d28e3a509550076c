"""Make, change, delete, pause and resume a schedule, and enqueue its job now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
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
    said, revision = _said(fields), fields.number("revision")
    if isinstance(revision, int):
        stored = await schedule_seen(request, said.name)
        await schedule_actions.update(request, _with_the_rest(said, stored, fields), revision=revision)
    else:
        await schedule_actions.create(request, said)
    return back_to(request, "schedule/list", "schedule_saved")


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete a schedule; jobs that it has enqueued stay."""
    fields = await read_fields(request)
    await schedule_actions.delete(request, check_schedule_name(fields.text("name"), "name"))
    return back_to(request, "schedule/list", "schedule_deleted")


def _said(fields: Fields) -> NewSchedule:
    every = fields.seconds("every_s")
    return new_schedule(
        fields.text("name"),
        kind=fields.text("task_type"),
        cron=fields.optional("cron"),
        every=None if every is None else timedelta(seconds=every),
        timezone=fields.text("timezone") or "UTC",
        args=fields.text("task_params") or "{}",
        queue=fields.text("queue") or "default",
        priority=fields.number("priority"),
        max_attempts=fields.number("max_attempts"),
        tags=tuple(tag.strip() for tag in fields.text("tags").split(",") if tag.strip()),
        missed=fields.text("missed") or "latest",
    )


def _with_the_rest(said: NewSchedule, stored: Schedule, fields: Fields) -> NewSchedule:
    """Return what the form says, and of the rest what is stored: it has no fields for that."""
    shows_args = fields.every("task_params")  # one that could not show them whole has no field for them either
    return replace(
        said,
        args_text=said.args_text if shows_args else stored.args_text,
        metadata_text=stored.metadata_text,
        run_on_start=stored.run_on_start,
        unique=stored.unique,
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
