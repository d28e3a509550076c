"""Read jobs for somebody: only those of queues they may see, and without what is hidden."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from riverrun.errors import NotFound
from riverrun.job import Job
from riverrun.store import jobs, listing
from riverrun.store.listing import JobFilter, Page
from riverrun_admin.callers import caller_of
from riverrun_admin.scope import narrowed
from riverrun_admin.services import services
from riverrun_admin.transaction import run

SEARCH_SECONDS = 0.1
"""How long a list goes on looking; then it gives what it has found, and where to go on."""


async def stored_job(request: web.Request, job_id: int) -> Job:
    """Return one job whole, as the transaction of the sender has left it; not to be shown.

    Raises:
        NotFound: There is none, or it is in a queue that the sender's token is not for.
    """
    job = await run(request, jobs.get(job_id))
    if not caller_of(request).may_use(job.queue):
        raise NotFound("job", job_id)
    return job


async def read_job(request: web.Request, job_id: int) -> Job:
    """Return one job as the sender may see it, and as their transaction has left it.

    Raises:
        NotFound: As `stored_job`.
    """
    return services(request).mask.job(await stored_job(request, job_id))


async def read_page(
    request: web.Request,
    wanted: JobFilter,
    *,
    limit: int,
    cursor: str | None = None,
    order: listing.Order | None = None,
) -> Page:
    """Return one page of jobs as the sender may see them; see `listing.page`. A long search is given in parts."""
    served_by = services(request)
    seen = await narrowed(request, wanted)
    steps = listing.page(seen, limit=limit, cursor=cursor, order=order, seconds=SEARCH_SECONDS)
    page = await served_by.database.run(steps)
    return replace(page, jobs=[served_by.mask.job(job) for job in page.jobs])
