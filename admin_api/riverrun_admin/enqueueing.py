"""Turn what the API was sent into jobs: its field names, the defaults of queues and handlers, one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.new_job import NewJob, new_job
from riverrun.settings.schema import Settings
from riverrun.store import jobs, registry, statistics
from riverrun.store.jobs import EnqueueResult
from riverrun.store.registry import RegisteredHandler
from riverrun.telemetry import metrics
from riverrun.unique import Unique
from riverrun_admin import answers
from riverrun_admin.documents import enqueued_document
from riverrun_admin.models import EnqueueBody, UniqueBody
from riverrun_admin.pages.texts import language_of
from riverrun_admin.problems import renamed
from riverrun_admin.scope import check_queue_is_theirs
from riverrun_admin.services import services
from riverrun_admin.tallies import enqueued
from riverrun_admin.transaction import transaction

_FIELDS = {
    "kind": "task_type",
    "args": "task_params",
    "delay": "delay_s",
    "timeout": "timeout_s",
    "unique.by_period": "unique.by_period_s",
}


async def enqueue(
    request: web.Request, bodies: Sequence[EnqueueBody], *, path: str = ""
) -> tuple[list[EnqueueResult], list[answers.Enqueued]]:
    """Enqueue jobs in the transaction of ``request``; return what became of each, as results and as documents.

    Args:
        request: The request that sent them.
        bodies: The jobs.
        path: Where they stand in the body, before their position, for errors.

    Raises:
        InvalidInput: A job is not allowed; nothing was enqueued.
    """
    parts = services(request)
    for body in bodies:
        check_queue_is_theirs(request, body.queue)
    async with transaction(request) as conn:
        known = await parts.database.statements.run(
            conn, registry.handlers(sorted({body.task_type for body in bodies}))
        )
        handlers = {handler.kind: handler for handler in known}
        new = [
            checked_job(body, handlers.get(body.task_type), parts.settings, path=f"{path}{place}." if path else "")
            for place, body in enumerate(bodies)
        ]
        served = await parts.database.statements.run(conn, statistics.served(sorted({job.queue for job in new})))
        results = await parts.database.statements.run(conn, jobs.enqueue(new))
    parts.changed()
    count(
        request,
        Counter((each.job.queue, each.job.kind, "duplicate" if each.duplicate else "inserted") for each in results),
    )
    return results, [
        enqueued_document(
            result,
            handler_known=result.job.kind in handlers,
            queue_served=result.job.queue in served,
            language=language_of(request),
        )
        for result in results
    ]


def count(request: web.Request, jobs_given: Mapping[tuple[str, str, str], int]) -> None:
    """Count jobs, by queue, kind and result, in the metrics and, those that are new, for the audit log."""
    parts = services(request)
    for (queue, kind, result), given in jobs_given.items():
        metrics.jobs_inserted.labels(queue=queue, kind=kind, source="api", result=result).inc(given)
        if result == "inserted":
            parts.tallies.add(enqueued(request, parts.settings.admin, queue=queue, kind=kind), times=given)


def checked_job(body: EnqueueBody, handler: RegisteredHandler | None, settings: Settings, *, path: str) -> NewJob:
    """Return the job that ``body`` asks for, with the defaults of its queue and handler.

    Raises:
        InvalidInput: It is not allowed; its field begins with ``path``.
    """
    try:
        return new_job(
            body.task_type,
            body.task_params,
            queue=body.queue,
            priority=body.priority or settings.river.priority_of(body.queue),
            max_attempts=body.max_attempts
            or settings.river.max_attempts_of(handler.registration.retry_count if handler else None),
            scheduled_at=body.scheduled_at,
            delay=body.delay_s,
            timeout=body.timeout_s,
            tags=body.tags,
            metadata=body.metadata,
            unique=None if body.unique is None else unique_of(body.unique),
            pending=body.pending,
        )
    except InvalidInput as error:
        raise _renamed(error, path) from error


def unique_of(body: UniqueBody) -> Unique:
    """Return what a body asks for.

    Raises:
        InvalidInput: River would refuse it.
    """
    return Unique(
        by_args=body.by_args,
        by_period=None if body.by_period_s is None else timedelta(seconds=body.by_period_s),
        by_queue=body.by_queue,
        by_state=body.by_state,
        exclude_kind=body.exclude_kind,
    )


def _renamed(error: InvalidInput, path: str) -> InvalidInput:
    """Return ``error`` with the field as the API calls it, at its place in the body."""
    first, dot, rest = error.field.partition(".")
    return renamed(error, path + (_FIELDS.get(error.field) or f"{_FIELDS.get(first, first)}{dot}{rest}"))
