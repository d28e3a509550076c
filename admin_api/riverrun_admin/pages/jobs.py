"""The list of jobs with its filters, and one job with everything about it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.job import FINALIZED, Job, JobState
from riverrun.job_query import without
from riverrun.store.bulk_operations import ACTIONS
from riverrun.store.changing import WAITING
from riverrun_admin.attempt_logs import attempt_logs
from riverrun_admin.documents import encoded, safe
from riverrun_admin.filters import filter_line, job_filter, rows_wanted
from riverrun_admin.pages.copies import copies
from riverrun_admin.pages.refusal import NOT_REFUSED, Refused
from riverrun_admin.pages.render import page
from riverrun_admin.pages.timeline import timeline
from riverrun_admin.pages.view import CHOICES
from riverrun_admin.reading import read_page, stored_job
from riverrun_admin.scope import snapshot_seen
from riverrun_admin.services import services
from riverrun_admin.suggestions import terms

_RETRYABLE_BY_HAND = frozenset(JobState) - {JobState.RUNNING, JobState.AVAILABLE}
_SHOWN_APART = frozenset({"output", "riverrun:progress", "river:log"})


async def jobs_page(request: web.Request) -> web.Response:
    """Return one page of the jobs that the query asks for."""
    wanted = job_filter(request)
    rows = rows_wanted(request)
    found, snapshot, known = await asyncio.gather(
        read_page(request, wanted, limit=rows, cursor=request.query.get("cursor") or None),
        snapshot_seen(request),
        terms(request),
    )
    query = request.rel_url.query.copy()
    for name in ("cursor", "notice", *CHOICES):
        query.popall(name, None)

    def link(**changes: str | None) -> str:
        changed = query.copy()
        for name, value in changes.items():
            changed.popall(name, None)
            # What a link says takes the place of what the line says about the same.
            if line := without(changed.pop("filter", ""), name):
                changed["filter"] = line
            if value is not None:
                changed[name] = value
        return "?" + request.rel_url.with_query(changed).raw_query_string

    return page(
        request,
        "jobs",
        jobs=found.jobs,
        counts=snapshot.statistics.states,
        next_cursor=found.next_cursor,
        searching=found.next_cursor is not None and len(found.jobs) < rows,
        on_first_page="cursor" not in request.query,
        filtered=bool(query.keys() - {"state", "filter"}),
        wanted=wanted,
        query=request.query,
        link=link,
        here_again=f"queue/jobs{link()}",
        line=_line(request),
        known=known,
        exported=link(limit=None, order=None),
        actions=ACTIONS,
        seconds_of=_seconds,
    )


def _line(request: web.Request) -> str:
    """Return the filter in one line; none when it cannot be said so."""
    try:
        return filter_line(request)
    except InvalidInput:
        return ""


async def job_page(
    request: web.Request, job_id: int, *, refused: Refused = NOT_REFUSED, status: int = 200
) -> web.Response:
    """Return one job with its life, arguments, metadata, output, log and errors, and why a form on it was refused."""
    stored = await stored_job(request, job_id)
    job = services(request).mask.job(stored)
    snapshot = await snapshot_seen(request)
    metadata = {name: value for name, value in job.metadata.items() if name not in _SHOWN_APART}
    return page(
        request,
        "job",
        status=status,
        address=f"queue/jobs/{job_id}",
        job=job,
        refused=refused,
        queues=[queue.name for queue in snapshot.statistics.queues],
        args_hidden=job.args_text != stored.args_text,
        events=timeline(job),
        progress=_progress(job),
        log=attempt_logs(job)[::-1],
        metadata=encoded(safe(metadata)).decode() if metadata else None,
        output=encoded(safe(job.metadata["output"])).decode() if "output" in job.metadata else None,
        can_cancel=job.state not in FINALIZED,
        can_retry=job.state in _RETRYABLE_BY_HAND,
        can_delete=job.state is not JobState.RUNNING,
        can_change=job.state in (JobState.AVAILABLE, *WAITING),
        cancel_requested=job.state is JobState.RUNNING and "cancel_attempted_at" in job.metadata,
        waited=_seconds(job.scheduled_at, job.attempted_at),
        ran=_seconds(job.attempted_at, job.finalized_at),
        elapsed=_seconds(job.attempted_at, datetime.now(UTC)) if job.state is JobState.RUNNING else None,
        copies=copies(job),
    )


def _progress(job: Job) -> Mapping[str, Any] | None:
    """Return what the handler last said about how far it is; another client may have put anything there."""
    said = job.metadata.get("riverrun:progress")
    if not isinstance(said, Mapping) or not isinstance(said.get("fraction"), int | float):
        return None
    return {"fraction": min(1.0, max(0.0, float(said["fraction"]))), "note": str(said.get("note", ""))}


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    """Return the time between two moments; none when one is missing, never less than zero."""
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())
