"""List and show jobs; cancel, retry and delete them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

from riverrun.errors import RiverrunError
from riverrun.job import JobState
from riverrun.names import check_job_id
from riverrun.store import listing
from riverrun_admin import job_actions, suggestions
from riverrun_admin.body import read_object
from riverrun_admin.documents import count, job_document, job_summary, respond
from riverrun_admin.filters import is_lenient, job_filter, order_wanted, refuse_unknown, rows_wanted
from riverrun_admin.job_actions import Outcome
from riverrun_admin.models import JobIdsBody
from riverrun_admin.negotiation import accepts_page_or_json
from riverrun_admin.pages.jobs import job_page, jobs_page
from riverrun_admin.pages.texts import language_of
from riverrun_admin.problems import FieldError, invalid, problem_of
from riverrun_admin.reading import read_job, read_page
from riverrun_admin.rules import validated
from riverrun_admin.scope import narrowed
from riverrun_admin.services import services

Act = Callable[[web.Request, Sequence[int]], Awaitable[Mapping[int, Outcome]]]
Told = Callable[[JobState], dict[str, object]]


async def list_jobs(request: web.Request) -> web.Response:
    """Return one page of the jobs that the query asks for."""
    if accepts_page_or_json(request):
        return await jobs_page(request)
    wanted = job_filter(request)
    limit, cursor = rows_wanted(request), request.query.get("cursor") or None
    database = services(request).database
    page = await read_page(request, wanted, limit=limit, cursor=cursor, order=order_wanted(request))
    number = await database.run(listing.count(await narrowed(request, wanted))) if cursor is None else None
    if number is None and cursor is None:
        number = listing.Count(len(page.jobs), "gte" if page.next_cursor else "eq")
    return respond(
        {"data": [job_summary(job) for job in page.jobs], "next_cursor": page.next_cursor, "count": count(number)}
    )


async def show(request: web.Request) -> web.Response:
    """Return one job, whole."""
    job_id = check_job_id(request.match_info["job_id"], "job_id")
    if accepts_page_or_json(request):
        return await job_page(request, job_id)
    return respond(job_document(await read_job(request, job_id)))


async def terms(request: web.Request) -> web.Response:
    """Return what a filter can say at present: its terms, and the states, kinds, queues and tags that are known."""
    refuse_unknown(request, frozenset({"lenient"}))
    return respond(await suggestions.terms(request))


async def cancel(request: web.Request) -> web.Response:
    """Cancel jobs; 202 for one that runs, because its executor has yet to stop it."""
    return await _act(request, job_actions.cancel, _cancelled)


async def retry(request: web.Request) -> web.Response:
    """Make jobs available again."""
    return await _act(request, job_actions.retry, lambda state: {"state": str(state)})


async def delete(request: web.Request) -> web.Response:
    """Delete jobs that do not run."""
    return await _act(request, job_actions.delete, lambda _: {"deleted": True})


def _cancelled(state: JobState) -> dict[str, object]:
    return {"state": str(state), "cancel_requested": state is JobState.RUNNING}


async def _act(request: web.Request, act: Act, told: Told) -> web.Response:
    body = validated(JobIdsBody, await read_object(request), lenient=is_lenient(request))
    return await respond_for_each(request, body, act, told)


async def respond_for_each(request: web.Request, body: JobIdsBody, act: Act, told: Told) -> web.Response:
    """Do something about the jobs of the body: one error for one job, an answer for each of several."""
    if (body.job_id is None) == (body.job_ids is None):
        detail = "job_id: exactly one of job_id and job_ids is needed"
        raise invalid((FieldError("/job_id", "required", detail),))
    if body.job_ids is not None:
        ids = list(dict.fromkeys(body.job_ids))
        outcomes = await act(request, ids)
        language = language_of(request)
        return respond({"results": [_result(job_id, outcomes[job_id], told, language) for job_id in ids]})
    assert body.job_id is not None  # noqa: S101 - tells the type checker what was just checked
    outcome = (await act(request, [body.job_id]))[body.job_id]
    if isinstance(outcome, RiverrunError):
        raise outcome
    document = told(outcome)
    return respond({"job_id": body.job_id, **document}, status=202 if document.get("cancel_requested") else 200)


def _result(job_id: int, outcome: Outcome, told: Told, language: str) -> dict[str, object]:
    if isinstance(outcome, JobState):
        return {"job_id": job_id, "ok": True, **told(outcome)}
    problem = problem_of(outcome).said_in(language)
    return {"job_id": job_id, "ok": False, "code": problem.code, "detail": problem.detail}


ROUTES = (
    web.get("/admin/queue/jobs", list_jobs),
    web.get("/admin/queue/jobs/{job_id}", show),
    web.get("/admin/queue/terms", terms),
    web.post("/admin/queue/cancel", cancel),
    web.post("/admin/queue/retry", retry),
    web.post("/admin/queue/delete", delete),
)
