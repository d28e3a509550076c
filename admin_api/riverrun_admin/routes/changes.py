"""Change jobs that wait: run them now or later, elsewhere, sooner, with other arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.store.changing import JobChange
from riverrun_admin import job_actions
from riverrun_admin.body import read_object
from riverrun_admin.documents import job_document, respond
from riverrun_admin.filters import is_lenient
from riverrun_admin.job_actions import Outcome
from riverrun_admin.models import JobChangeBody, JobIdsBody, MoveBody, ReprioritizeBody, SnoozeBody
from riverrun_admin.routes.jobs import respond_for_each
from riverrun_admin.rules import validated
from riverrun_admin.scope import check_queue_is_theirs

_FIELDS = {"task_params": "args_text", "delay_s": "delay"}


async def run(request: web.Request) -> web.Response:
    """Make jobs that wait for their time available now."""
    body = validated(JobIdsBody, await read_object(request), lenient=is_lenient(request))
    return await respond_for_each(request, body, job_actions.run_now, _state)


async def snooze(request: web.Request) -> web.Response:
    """Let jobs wait so many seconds from now; no attempt is used."""
    body = validated(SnoozeBody, await read_object(request), lenient=is_lenient(request))
    return await _change(request, body, JobChange(delay=body.delay_s))


async def reprioritize(request: web.Request) -> web.Response:
    """Give jobs that wait another priority."""
    body = validated(ReprioritizeBody, await read_object(request), lenient=is_lenient(request))
    return await _change(request, body, JobChange(priority=body.priority))


async def move(request: web.Request) -> web.Response:
    """Put jobs that wait into another queue."""
    body = validated(MoveBody, await read_object(request), lenient=is_lenient(request))
    check_queue_is_theirs(request, body.queue)
    return await _change(request, body, JobChange(queue=body.queue))


async def update(request: web.Request) -> web.Response:
    """Change one job that waits; what it was before is kept in the audit log."""
    body = validated(JobChangeBody, await read_object(request), lenient=is_lenient(request))
    given = {name: getattr(body, name) for name in body.model_fields_set - {"job_id"}}
    if not given:
        raise InvalidInput("job_id", body.job_id, "something to change beside it", code="required")
    wanted = JobChange(**{_FIELDS.get(name, name): value for name, value in given.items()})
    return respond(job_document(await job_actions.change_one(request, body.job_id, wanted, named=given.keys())))


async def _change(request: web.Request, body: JobIdsBody, wanted: JobChange) -> web.Response:
    async def act(request: web.Request, ids: Sequence[int]) -> Mapping[int, Outcome]:
        return await job_actions.change(request, ids, wanted)

    return await respond_for_each(request, body, act, _state)


def _state(state: object) -> dict[str, object]:
    return {"state": str(state)}


ROUTES = (
    web.post("/admin/queue/run", run),
    web.post("/admin/queue/snooze", snooze),
    web.post("/admin/queue/reprioritize", reprioritize),
    web.post("/admin/queue/move", move),
    web.post("/admin/queue/update", update),
)
