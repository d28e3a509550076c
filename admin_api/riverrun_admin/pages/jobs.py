"""The list of jobs with its filters, and one job with everything about it."""

from __future__ import annotations

import json
from datetime import datetime

from aiohttp import web

from riverrun.job import FINALIZED, Job, JobState
from riverrun_admin.documents import encoded, safe
from riverrun_admin.filters import job_filter, rows_wanted
from riverrun_admin.pages.render import page
from riverrun_admin.reading import read_job, read_page
from riverrun_admin.services import services

_RETRYABLE_BY_HAND = frozenset(JobState) - {JobState.RUNNING, JobState.AVAILABLE}


async def jobs_page(request: web.Request) -> web.Response:
    """Return one page of the jobs that the query asks for."""
    wanted = job_filter(request)
    found = await read_page(request, wanted, limit=rows_wanted(request), cursor=request.query.get("cursor") or None)
    snapshot = await services(request).overview.snapshot()
    query = request.rel_url.query.copy()
    for name in ("cursor", "lang", "notice"):
        query.popall(name, None)

    def link(**changes: str | None) -> str:
        changed = query.copy()
        for name, value in changes.items():
            changed.popall(name, None)
            if value is not None:
                changed[name] = value
        return "?" + request.rel_url.with_query(changed).raw_query_string

    return page(
        request,
        "jobs",
        jobs=found.jobs,
        counts=snapshot.statistics.states,
        next_cursor=found.next_cursor,
        on_first_page="cursor" not in request.query,
        wanted=wanted,
        query=request.query,
        link=link,
        seconds_of=_seconds,
    )


async def job_page(request: web.Request, job_id: int) -> web.Response:
    """Return one job with its arguments, metadata, output and errors."""
    job = await read_job(request, job_id)
    metadata = {name: value for name, value in job.metadata.items() if name != "output"}
    return page(
        request,
        "job",
        job=job,
        metadata=encoded(safe(metadata)).decode() if metadata else None,
        output=encoded(safe(job.metadata["output"])).decode() if "output" in job.metadata else None,
        can_cancel=job.state not in FINALIZED,
        can_retry=job.state in _RETRYABLE_BY_HAND,
        can_delete=job.state is not JobState.RUNNING,
        cancel_requested=job.state is JobState.RUNNING and "cancel_attempted_at" in job.metadata,
        seconds_of=_seconds,
        command=_command(job),
    )


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    """Return the time between two moments; none when one is missing, never less than zero."""
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())


def _command(job: Job) -> str:
    """Return a shell command that enqueues such a job, quoted for any POSIX shell."""
    body = json.dumps(
        {"task_type": job.kind, "task_params": job.args_text, "queue": job.queue, "priority": job.priority},
        ensure_ascii=False,
    )
    quoted = body.replace("'", "'\\''")
    return f"curl -X POST http://localhost:9999/admin/queue/enqueue -H 'Content-Type: application/json' -d '{quoted}'"
