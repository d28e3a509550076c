"""Try handlers, for the API and for the forms of the pages alike."""

from __future__ import annotations

from aiohttp import web

from riverrun import trial
from riverrun.errors import Conflict
from riverrun.job import Job
from riverrun.store import jobs, registry
from riverrun_admin.scope import check_queue_is_theirs
from riverrun_admin.transaction import run


async def begin_trial(request: web.Request, kind: str, args: object, *, queue: str) -> Job:
    """Enqueue one job by which a handler is tried; it runs when the transaction of ``request`` is committed.

    Raises:
        NotFound: None is registered for ``kind``.
        Conflict: The job would not be claimed now.
        Problem: 403, the sender's token is not for the queue.
    """
    check_queue_is_theirs(request, queue)
    why_not = trial.obstacle(await run(request, registry.handler(kind)))
    if why_not is not None:
        raise Conflict(why_not)
    (result,) = await run(request, jobs.enqueue([trial.trial(kind, args, queue=queue)]))
    return result.job
