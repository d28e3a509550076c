"""Cancel, retry and delete a job, or those that were ticked in a list; enqueue one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

from riverrun.errors import InvalidInput, RiverrunError
from riverrun.job import JobState
from riverrun.masking import check_shown
from riverrun.names import check_job_id, check_kind
from riverrun.store import registry
from riverrun_admin import enqueueing, job_actions
from riverrun_admin.args_form import args_text, members_of
from riverrun_admin.auditing import note
from riverrun_admin.forms.fields import Fields, back_to, read_fields
from riverrun_admin.job_actions import Outcome
from riverrun_admin.models import EnqueueBody
from riverrun_admin.reading import stored_job
from riverrun_admin.rules import validated
from riverrun_admin.transaction import run

Act = Callable[[web.Request, Sequence[int]], Awaitable[Mapping[int, Outcome]]]

_ACTIONS: Mapping[str, tuple[Act, str]] = {
    "cancel": (job_actions.cancel, "cancelled"),
    "retry": (job_actions.retry, "retried"),
    "delete": (job_actions.delete, "deleted"),
}
"""What to do, and the notice of the page after it."""


async def one(request: web.Request) -> web.StreamResponse:
    """Act on one job; what forbids it is said on a page."""
    act, notice = _action(request)
    fields = await read_fields(request)
    job_id = check_job_id(fields.text("job_id"), "job_id")
    outcome = (await act(request, [job_id]))[job_id]
    if isinstance(outcome, RiverrunError):
        raise outcome
    if act is job_actions.cancel and outcome is JobState.RUNNING:
        notice = "cancel_requested"
    return back_to(request, fields.back("queue/jobs" if notice == "deleted" else f"queue/jobs/{job_id}"), notice)


async def several(request: web.Request) -> web.StreamResponse:
    """Act on the jobs that were ticked."""
    act, _ = _action(request)
    fields = await read_fields(request)
    ids = [check_job_id(value, "id") for value in dict.fromkeys(fields.every("id"))]
    if not ids:
        raise InvalidInput("id", None, "at least one job, ticked in the list", code="required")
    note(request, target=f"jobs:{','.join(map(str, ids))}"[:255])
    outcomes = await act(request, ids)
    return back_to(request, fields.back("queue/jobs"), _notice(outcomes))


async def enqueue(request: web.Request) -> web.StreamResponse:
    """Enqueue one job and show it."""
    fields = await read_fields(request)
    params = await _params(request, fields)
    if like := fields.optional("like"):
        model = await stored_job(request, check_job_id(like, "like"))
        check_shown(params, "task_params", stored=model.args_text)
    given: dict[str, object] = {
        "task_type": fields.text("task_type"),
        "task_params": params,
        "queue": fields.text("queue") or "default",
        "priority": fields.number("priority"),
        "max_attempts": fields.number("max_attempts"),
        "delay_s": fields.seconds("delay_s"),
        "tags": fields.words("tags"),
    }
    results, _ = await enqueueing.enqueue(request, [validated(EnqueueBody, given)])
    return back_to(request, f"queue/jobs/{results[0].job.id}", "enqueued")


async def _params(request: web.Request, fields: Fields) -> str:
    """Return the arguments: as they were written, or from the fields that the schema of the kind has made."""
    if not fields.text("by_schema"):
        return fields.text("task_params") or "{}"
    handler = await run(request, registry.handler(check_kind(fields.text("task_type"), "task_type")))
    return args_text(members_of(handler.registration.args_schema), fields.last())


def _action(request: web.Request) -> tuple[Act, str]:
    action = _ACTIONS.get(request.match_info["action"])
    if action is None:
        raise web.HTTPNotFound
    return action


def _notice(outcomes: Mapping[int, Outcome]) -> str:
    """Return whether all was done, or some jobs were not in a state for it."""
    return "partly" if any(isinstance(outcome, RiverrunError) for outcome in outcomes.values()) else "done"


ROUTES = (
    web.post("/admin/form/job/{action}", one),
    web.post("/admin/form/jobs/{action}", several),
    web.post("/admin/form/enqueue", enqueue),
)
