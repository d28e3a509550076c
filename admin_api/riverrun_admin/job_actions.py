"""Cancel, retry, change and delete jobs, one by one answers for the API and for the forms of the pages alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from aiohttp import web
from psycopg import AsyncConnection

from riverrun.errors import Conflict, JobFinalized, JobRunning, NotFound, RiverrunError
from riverrun.job import Job, JobState
from riverrun.masking import check_shown
from riverrun.store import changing, jobs
from riverrun.store.changing import JobChange
from riverrun_admin.auditing import LARGEST_KEPT, note
from riverrun_admin.documents import job_document
from riverrun_admin.reading import read_job, stored_job
from riverrun_admin.scope import check_queue_is_theirs, theirs
from riverrun_admin.services import services
from riverrun_admin.transaction import run, transaction

Outcome = JobState | RiverrunError
"""The state of a job afterwards, or why nothing was done about it."""


async def cancel(request: web.Request, ids: Sequence[int]) -> dict[int, Outcome]:
    """Cancel jobs; one that runs stays ``running`` until its executor has stopped it."""
    found = await run(request, jobs.cancel(await theirs(request, ids)))
    outcomes: dict[int, Outcome] = {}
    for job_id in ids:
        result = found.get(job_id)
        if result is None:
            outcomes[job_id] = NotFound("job", job_id)
        elif result.state_before in (JobState.COMPLETED, JobState.DISCARDED):
            outcomes[job_id] = JobFinalized(job_id, result.state_before)
        else:
            outcomes[job_id] = result.state
    return outcomes


async def retry(request: web.Request, ids: Sequence[int]) -> dict[int, Outcome]:
    """Make jobs available again."""
    outcomes: dict[int, Outcome] = {}
    known = set(await theirs(request, ids))
    async with transaction(request) as conn:
        for job_id in ids:
            try:
                outcomes[job_id] = (await _retry(request, conn, job_id, known)).state
            except (NotFound, Conflict) as error:
                outcomes[job_id] = error
    return outcomes


async def _retry(request: web.Request, conn: AsyncConnection[Any], job_id: int, known: Collection[int]) -> Job:
    if job_id not in known:
        raise NotFound("job", job_id)
    # A savepoint: a unique conflict of one job must not undo the others.
    async with conn.transaction():
        return await services(request).database.statements.run(conn, jobs.retry(job_id))


async def run_now(request: web.Request, ids: Sequence[int]) -> dict[int, Outcome]:
    """Make jobs available that wait for their time; no further attempt is allowed them."""
    outcomes = await run(request, changing.run_now(await theirs(request, ids)))
    return {job_id: outcomes.get(job_id, NotFound("job", job_id)) for job_id in ids}


async def change(request: web.Request, ids: Sequence[int], wanted: JobChange) -> dict[int, Outcome]:
    """Change jobs that wait."""
    found = await run(request, changing.change(await theirs(request, ids), wanted))
    return {
        job_id: found[job_id].state
        if job_id in found and found[job_id].done
        else changing.refusal(job_id, found[job_id].state if job_id in found else None)
        for job_id in ids
    }


async def change_one(request: web.Request, job_id: int, wanted: JobChange, *, named: Collection[str]) -> Job:
    """Change one job that waits and return it; what was there before is kept in the audit log.

    Args:
        request: Whose sender wants it.
        job_id: Which job.
        wanted: What shall be different.
        named: What the API calls the fields of ``wanted`` that say something; they are recorded.

    Raises:
        NotFound, JobRunning, JobFinalized, UniqueConflict: It was not changed.
        InvalidInput: What is hidden of its arguments would be lost.
        Problem: 403, the sender's token is not for the queue that it shall go to.
    """
    if wanted.queue is not None:
        check_queue_is_theirs(request, wanted.queue)
    stored = await stored_job(request, job_id)
    if wanted.args_text is not None:
        check_shown(wanted.args_text, "task_params", stored=stored.args_text)
    before = services(request).mask.job(stored)
    outcome = (await change(request, [job_id], wanted))[job_id]
    if isinstance(outcome, RiverrunError):
        raise outcome
    after = await read_job(request, job_id)
    old, new = (_recorded(job, named) for job in (before, after))
    if len(after.args_text) > LARGEST_KEPT and "task_params" in new:
        new["task_params"] = {"cut": f"{len(after.args_text)} characters"}
    note(request, before=old, after=new)
    return after


def _recorded(job: Job, named: Collection[str]) -> dict[str, object]:
    document = {**job_document(job), "task_params": job.args_text}  # its text has every digit
    return {name: document.get(name) for name in dict.fromkeys((*named, "scheduled_at", "state"))}


async def delete(request: web.Request, ids: Sequence[int]) -> dict[int, Outcome]:
    """Delete jobs that do not run; the outcome is the state they were in."""
    found = await run(request, jobs.delete(await theirs(request, ids)))
    outcomes: dict[int, Outcome] = {}
    for job_id in ids:
        state = found.get(job_id)
        if state is None:
            outcomes[job_id] = NotFound("job", job_id)
        else:
            outcomes[job_id] = JobRunning(job_id) if state is JobState.RUNNING else state
    return outcomes
