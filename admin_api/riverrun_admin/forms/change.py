"""Change a job that waits: later, elsewhere, sooner, or with other arguments."""

from __future__ import annotations

from aiohttp import web

from riverrun.durations import parse_duration
from riverrun.names import check_job_id
from riverrun.store.bulk_operations import change_of, check_action
from riverrun.store.changing import JobChange
from riverrun_admin import job_actions
from riverrun_admin.forms.fields import Fields, back_to, read_fields
from riverrun_admin.models import JobChangeBody
from riverrun_admin.pages.jobs import job_page
from riverrun_admin.pages.refusal import Refused, on_its_page
from riverrun_admin.rules import validated

_NOTICES = {"snooze": "snoozed", "move": "moved", "reprioritize": "reprioritized"}


async def act(request: web.Request) -> web.StreamResponse:
    """Snooze or move a job, or give it another priority."""
    fields, job_id = await _read(request)
    action = _action_of(request)
    params = params_of(action, fields)
    await job_actions.change_one(request, job_id, change_of(params), named=params.keys() - {"delay_s"})
    return back_to(request, f"queue/jobs/{job_id}", _NOTICES[action])


async def edit(request: web.Request) -> web.StreamResponse:
    """Give a job other arguments, tags or another number of attempts."""
    fields, job_id = await _read(request)
    given: dict[str, object] = {
        "job_id": job_id,
        "max_attempts": fields.number("max_attempts"),
        "tags": fields.words("tags"),
    }
    if (args := fields.optional("task_params")) is not None:
        given["task_params"] = args
    body = validated(JobChangeBody, given)
    wanted = JobChange(args_text=body.task_params, max_attempts=body.max_attempts, tags=body.tags)
    await job_actions.change_one(request, job_id, wanted, named=given.keys() - {"job_id"})
    return back_to(request, f"queue/jobs/{job_id}", "edited")


def params_of(action: str, fields: Fields) -> dict[str, object]:
    """Return what ``action`` needs, from the fields of a form.

    Raises:
        InvalidInput: It is missing or not allowed.
    """
    given: dict[str, object] = {}
    match action:
        case "snooze":
            given["delay_s"] = parse_duration(fields.text("delay"), "delay").total_seconds()
        case "reprioritize":
            given["priority"] = fields.number("priority")
        case "move":
            given["queue"] = fields.text("queue")
        case _:
            pass  # the other actions need nothing
    return check_action(action, given)


async def _read(request: web.Request) -> tuple[Fields, int]:
    """Return the fields and the job that they name; from here on a refusal is said on the page of that job."""
    fields = await read_fields(request)
    job_id = check_job_id(fields.text("job_id"), "job_id")

    async def draw(refused: Refused, status: int) -> web.Response:
        return await job_page(request, job_id, refused=refused, status=status)

    on_its_page(request, _action_of(request), fields.last(), draw)
    return fields, job_id


def _action_of(request: web.Request) -> str:
    return request.path.rpartition("/")[2]


ROUTES = (
    web.post("/admin/form/job/snooze", act),
    web.post("/admin/form/job/move", act),
    web.post("/admin/form/job/reprioritize", act),
    web.post("/admin/form/job/edit", edit),
)
