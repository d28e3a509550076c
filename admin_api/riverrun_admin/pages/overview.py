"""The first page: how many jobs are in each state, how the queues stand, what failed last, who is there."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from riverrun.job import Job, JobState
from riverrun.store.listing import JobFilter
from riverrun_admin.pages.render import page
from riverrun_admin.reading import read_page
from riverrun_admin.services import services

FAILURES_SHOWN = 10
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


async def overview_page(request: web.Request) -> web.Response:
    """Return the overview."""
    snapshot = await services(request).overview.snapshot()
    failures = await _failures(request)
    return page(request, "overview", statistics=snapshot.statistics, failures=failures)


async def _failures(request: web.Request) -> list[Job]:
    """Return jobs that failed of late, the last failure first: those that gave up and those that try again soonest."""
    found: list[Job] = []
    for state in (JobState.DISCARDED, JobState.RETRYABLE):
        found += (await read_page(request, JobFilter(states=(state,)), limit=FAILURES_SHOWN)).jobs
    failed = [job for job in found if job.errors]
    failed.sort(key=lambda job: job.errors[-1].at or _LONG_AGO, reverse=True)
    return failed[:FAILURES_SHOWN]
