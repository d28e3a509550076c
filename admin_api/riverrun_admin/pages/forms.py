"""What the buttons of the pages do: a POST, one action, and back to the page with a sentence about it.

Only a page of ours gets this far: the door has looked at Origin and Sec-Fetch-Site.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from riverrun.errors import RiverrunError
from riverrun.job import JobState
from riverrun.names import check_job_id, check_queue
from riverrun_admin import job_actions, queue_actions
from riverrun_admin.form_fields import Fields, form_fields
from riverrun_admin.job_actions import Outcome
from riverrun_admin.rules import check_slots


async def queue_form(request: web.Request) -> web.StreamResponse:
    """Pause, resume or scale one queue."""
    act = _QUEUE_ACTIONS.get(request.match_info["action"])
    if act is None:
        raise web.HTTPNotFound
    fields = await form_fields(request)
    notice = await act(request, check_queue(fields.get("queue"), "queue"), fields)
    raise web.HTTPSeeOther(f"../../queue/list?notice={notice}")


async def job_form(request: web.Request) -> web.StreamResponse:
    """Cancel, retry or delete one job."""
    act = _JOB_ACTIONS.get(request.match_info["action"])
    if act is None:
        raise web.HTTPNotFound
    job_id = check_job_id((await form_fields(request)).get("job_id"), "job_id")
    notice = await act(request, job_id)
    target = "jobs" if notice == "deleted" else f"jobs/{job_id}"
    raise web.HTTPSeeOther(f"../../queue/{target}?notice={notice}")


async def _pause(request: web.Request, queue: str, _fields: Fields) -> str:
    await queue_actions.pause(request, queue)
    return "paused"


async def _resume(request: web.Request, queue: str, _fields: Fields) -> str:
    await queue_actions.resume(request, queue)
    return "resumed"


async def _scale(request: web.Request, queue: str, fields: Fields) -> str:
    text = fields.get("max_workers", "").strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else text
    await queue_actions.scale(request, queue, check_slots(number, "max_workers") if text else None)
    return "scaled"


async def _cancel(request: web.Request, job_id: int) -> str:
    state = _state((await job_actions.cancel(request, [job_id]))[job_id])
    return "cancel_requested" if state is JobState.RUNNING else "cancelled"


async def _retry(request: web.Request, job_id: int) -> str:
    _state((await job_actions.retry(request, [job_id]))[job_id])
    return "retried"


async def _delete(request: web.Request, job_id: int) -> str:
    _state((await job_actions.delete(request, [job_id]))[job_id])
    return "deleted"


def _state(outcome: Outcome) -> JobState:
    if isinstance(outcome, RiverrunError):
        raise outcome
    return outcome


_QUEUE_ACTIONS: dict[str, Callable[[web.Request, str, Fields], Awaitable[str]]] = {
    "pause": _pause,
    "resume": _resume,
    "scale": _scale,
}
_JOB_ACTIONS: dict[str, Callable[[web.Request, int], Awaitable[str]]] = {
    "cancel": _cancel,
    "retry": _retry,
    "delete": _delete,
}

ROUTES = (
    web.post("/admin/form/queue/{action}", queue_form),
    web.post("/admin/form/job/{action}", job_form),
)
