"""List, create, change, delete, pause and resume schedules, and enqueue the job of one now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.names import check_schedule_name
from riverrun.schedule import NewSchedule, Schedule, Tick, new_schedule
from riverrun.store import schedules
from riverrun_admin import answers, schedule_actions
from riverrun_admin.body import read_object
from riverrun_admin.documents import moment, respond
from riverrun_admin.enqueueing import unique_of
from riverrun_admin.filters import is_lenient, refuse_unknown, rows_wanted
from riverrun_admin.models import ScheduleBody, ScheduleNameBody
from riverrun_admin.negotiation import accepts_page_or_json
from riverrun_admin.pages.schedules import next_times, schedules_page
from riverrun_admin.problems import renamed
from riverrun_admin.routes.handler import revision_wanted
from riverrun_admin.rules import validated
from riverrun_admin.scope import schedule_seen, schedules_seen
from riverrun_admin.services import services

_FIELDS = {"kind": "task_type", "args": "task_params", "every": "every_s", "unique.by_period": "unique.by_period_s"}


async def list_schedules(request: web.Request) -> web.Response:
    """List the schedules, each with the next times it is due."""
    if accepts_page_or_json(request):
        return await schedules_page(request)
    found = await schedules_seen(request)
    return respond({"data": [_document(request, each) for each in found], "next_cursor": None})


async def history(request: web.Request) -> web.Response:
    """List the newest ticks of a schedule within the last week, each with its job and how that stands."""
    refuse_unknown(request, frozenset({"name", "limit", "lenient"}))
    name, rows = check_schedule_name(request.query.get("name"), "?name"), rows_wanted(request)
    schedule = await schedule_seen(request, name)
    found = await services(request).database.run(schedules.history([schedule.name], rows=rows))
    return respond({"data": [_tick(each) for each in found[name]], "next_cursor": None})


async def create(request: web.Request) -> web.Response:
    """Make a schedule: 201."""
    return _respond(request, await schedule_actions.create(request, await _said(request)), status=201)


async def update(request: web.Request) -> web.Response:
    """Make a schedule what the body says, all of it; with If-Match only if nobody has changed it meanwhile."""
    said = await _said(request)
    return _respond(request, await schedule_actions.update(request, said, revision=revision_wanted(request)))


async def delete(request: web.Request) -> web.Response:
    """Delete the schedule that the query names: 204."""
    refuse_unknown(request, frozenset({"name", "lenient"}))
    name = check_schedule_name(request.query.get("name"), "?name")
    await schedule_actions.delete(request, name, revision=revision_wanted(request))
    return web.Response(status=204)


async def pause(request: web.Request) -> web.Response:
    """Let a schedule enqueue nothing until it is resumed."""
    return _respond(request, await schedule_actions.pause(request, await _name(request)))


async def resume(request: web.Request) -> web.Response:
    """Let a schedule go on from now."""
    return _respond(request, await schedule_actions.resume(request, await _name(request)))


async def run_now(request: web.Request) -> web.Response:
    """Enqueue the job of a schedule once more, now: 201 and the path of the job."""
    name = await _name(request)
    job = await schedule_actions.run_now(request, name)
    document = {"job_id": job.id, "state": str(job.state), "task_type": job.kind, "queue": job.queue}
    return respond(document, status=201, headers={"Location": f"/admin/queue/jobs/{job.id}"})


async def _name(request: web.Request) -> str:
    return validated(ScheduleNameBody, await read_object(request), lenient=is_lenient(request)).name


async def _said(request: web.Request) -> NewSchedule:
    body = validated(ScheduleBody, await read_object(request), lenient=is_lenient(request))
    try:
        return new_schedule(
            body.name,
            kind=body.task_type,
            cron=body.cron,
            every=None if body.every_s is None else timedelta(seconds=body.every_s),
            timezone=body.timezone,
            args=body.task_params,
            queue=body.queue,
            priority=body.priority,
            max_attempts=body.max_attempts,
            tags=body.tags,
            metadata=body.metadata,
            missed=body.missed,
            run_on_start=body.run_on_start,
            unique=None if body.unique is None else unique_of(body.unique),
        )
    except InvalidInput as error:
        raise renamed(error, _FIELDS.get(error.field, error.field)) from error


def _document(request: web.Request, stored: Schedule) -> answers.Schedule:
    schedule = services(request).mask.schedule(stored)
    return {
        "name": schedule.name,
        "task_type": schedule.kind,
        "task_params": orjson.Fragment(schedule.args_text.encode()),
        "expression": schedule.expression,
        "timezone": schedule.timezone,
        "queue": schedule.queue,
        "priority": schedule.priority,
        "max_attempts": schedule.max_attempts,
        "tags": schedule.tags,
        "metadata": orjson.Fragment(schedule.metadata_text.encode()),
        "missed": schedule.missed,
        "run_on_start": schedule.run_on_start,
        "unique": schedule.unique.document() if schedule.unique else None,
        "source": schedule.source,
        "paused_at": moment(schedule.paused_at),
        "last_tick": moment(schedule.last_tick),
        "next": [moment(each) for each in next_times(schedule, datetime.now(UTC))],
        "version": schedule.revision,
        "created_at": moment(schedule.created_at),
        "updated_at": moment(schedule.updated_at),
    }


def _tick(tick: Tick) -> answers.Tick:
    return {
        "tick": moment(tick.tick),
        "job_id": tick.job_id,
        "state": tick.state,
        "attempted_at": moment(tick.attempted_at),
        "finalized_at": moment(tick.finalized_at),
    }


def _respond(request: web.Request, schedule: Schedule, *, status: int = 200) -> web.Response:
    return respond(_document(request, schedule), status=status, headers={"ETag": f'"{schedule.revision}"'})


ROUTES = (
    web.get("/admin/schedule/list", list_schedules),
    web.get("/admin/schedule/history", history),
    web.post("/admin/schedule/create", create),
    web.put("/admin/schedule/update", update),
    web.delete("/admin/schedule/delete", delete),
    web.post("/admin/schedule/pause", pause),
    web.post("/admin/schedule/resume", resume),
    web.post("/admin/schedule/run", run_now),
)
