"""Jobs, queues, handlers and servers as the API writes them: the quick start's field names, times in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import orjson
from aiohttp import web

from riverrun.job import AttemptError, Job, decode_json
from riverrun.masking import Mask
from riverrun.store.audit import Entry
from riverrun.store.bulk_operations import Bulk
from riverrun.store.jobs import EnqueueResult
from riverrun.store.listing import Count
from riverrun.store.registry import RegisteredHandler
from riverrun.store.statistics import QueueStatistics, Server
from riverrun.store.tokens import Token
from riverrun.store.watching import Watched
from riverrun.translation import translated
from riverrun_admin import answers
from riverrun_admin.overview import Snapshot

LISTED_PARAMS_BYTES = 8 * 1024
"""A list has the arguments of a job up to this size; the job itself has them whole."""


def respond(document: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return ``document`` as a JSON response; arguments in it stay byte for byte what PostgreSQL gave."""
    return web.Response(
        body=encoded(document), status=status, content_type="application/json", headers=dict(headers or {})
    )


def encoded(document: object) -> bytes:
    """Return ``document`` as JSON."""
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def moment(value: datetime | None) -> str | None:
    """Return a time as RFC 3339 in UTC with milliseconds."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def count(value: Count | None) -> answers.Number | None:
    """Return a number of jobs and whether it is exact."""
    return None if value is None else {"value": value.value, "relation": value.relation}


def enqueued_document(
    result: EnqueueResult, *, handler_known: bool, queue_served: bool, language: str
) -> answers.Enqueued:
    """Return what became of one job, and a warning, in ``language``, when nobody would run it now."""
    job = result.job
    document: answers.Enqueued = {
        "job_id": job.id,
        "state": str(job.state),
        "task_type": job.kind,
        "queue": job.queue,
        "priority": job.priority,
        "scheduled_at": moment(job.scheduled_at),
        "duplicate": result.duplicate,
        "handler_known": handler_known,
        "queue_served": queue_served,
    }
    if not queue_served:
        warning = f"no executor serves the queue {job.queue} now; the job waits until one does"
        document["warning"] = translated(warning, language)
    return document


def job_summary(job: Job) -> answers.JobSummary:
    """Return a job as lists have it."""
    small = len(job.args_text) <= LISTED_PARAMS_BYTES
    return {
        **_job(job),
        "errors": job.error_count,
        "task_params": orjson.Fragment(job.args_text.encode()) if small else None,
    }


def job_document(job: Job) -> answers.JobDocument:
    """Return a job whole."""
    return {
        **_job(job),
        "errors": [_error(error) for error in job.errors],
        "task_params": orjson.Fragment(job.args_text.encode()),
        "metadata": safe(job.metadata),
        "output": safe(job.metadata.get("output")),
        "attempted_by": job.attempted_by,
        "unique_key": job.unique_key.hex() if job.unique_key else None,
    }


def _job(job: Job) -> answers.JobBase:
    return {
        "job_id": job.id,
        "state": str(job.state),
        "task_type": job.kind,
        "queue": job.queue,
        "priority": job.priority,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "created_at": moment(job.created_at),
        "scheduled_at": moment(job.scheduled_at),
        "attempted_at": moment(job.attempted_at),
        "finalized_at": moment(job.finalized_at),
        "tags": job.tags,
        "last_error": job.errors[-1].error if job.errors else None,
        "cancel_requested": "cancel_attempted_at" in job.metadata,
    }


def watched_document(job_id: int, job: Watched | None, mask: Mask) -> answers.Watched:
    """Return how a job stands that somebody watches, without what ``mask`` hides."""
    if job is None:
        return {"job_id": job_id, "deleted": True}
    return {
        "job_id": job_id,
        "deleted": False,
        "state": str(job.state),
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "scheduled_at": moment(job.scheduled_at),
        "attempted_at": moment(job.attempted_at),
        "finalized_at": moment(job.finalized_at),
        "errors": job.errors,
        "cancel_requested": job.cancel_requested,
        "progress": None if job.progress_text is None else orjson.Fragment(mask.json_text(job.progress_text).encode()),
    }


def queue_document(queue: QueueStatistics) -> answers.Queue:
    """Return the statistics of a queue."""
    return {
        "name": queue.name,
        "paused_at": moment(queue.paused_at),
        "available": count(queue.available),
        "running": count(queue.running),
        "scheduled": count(queue.scheduled),
        "retryable": count(queue.retryable),
        "oldest_age_s": _seconds(queue.oldest_age_s),
        "pause_reason": queue.pause.reason if queue.pause else None,
        "paused_by": queue.pause.actor if queue.pause else None,
        "resume_at": moment(queue.pause.resume_at) if queue.pause else None,
        "max_workers": queue.max_workers,
        "max_workers_by_server": dict(queue.max_workers_by_server),
        "slots": queue.slots,
        "executors": queue.executors,
        "completed_1m": queue.completed_1m,
        "failed_1m": queue.failed_1m,
        "wait_p95_s": _seconds(queue.wait_p95_s),
        "run_p95_s": _seconds(queue.run_p95_s),
    }


def server_document(server: Server) -> answers.Server:
    """Return a server of the fleet."""
    return {
        "server_id": server.server_id,
        "host": server.host,
        "pid": server.pid,
        "version": server.version,
        "roles": server.roles,
        "alive": server.alive,
        "leader": server.leads,
        "executors": server.executors,
        "slots": server.slots,
        "started_at": moment(server.started_at),
        "heartbeat_at": moment(server.heartbeat_at),
    }


def statistics_document(snapshot: Snapshot) -> answers.Statistics:
    """Return the statistics, without how old they are, so that equal ones have equal documents."""
    found = snapshot.statistics
    return {
        "as_of": moment(snapshot.as_of),
        "states": {str(state): count(number) for state, number in found.states.items()},
        "queues": [queue_document(queue) for queue in found.queues],
        "leader": found.leader,
        "hosts": [server_document(server) for server in found.servers],
    }


def handler_document(handler: RegisteredHandler) -> answers.Handler:
    """Return a registered handler."""
    said, health = handler.registration, handler.health
    return {
        "task_type": said.kind,
        "handler_name": said.handler_name,
        "handler_type": said.handler_type,
        "endpoint_url": said.endpoint_url,
        "timeout": said.timeout_seconds,
        "retry_count": said.retry_count,
        "description": said.description,
        **cast("answers.Call", said.settings.model_dump()),
        "args_schema": safe(said.args_schema),
        "signed": handler.signed,
        "paused_at": moment(handler.paused_at),
        "health": {
            "breaker": health.breaker,
            "reason": health.reason,
            "misconfigured": health.misconfigured,
            "failed_probes": health.failed_probes,
            "throttled_s": _seconds(health.throttled_for if (health.throttled_for or 0) > 0 else None),
            "changed_at": moment(health.changed_at),
        },
        "version": handler.revision,
        "created_at": moment(handler.created_at),
        "updated_at": moment(handler.updated_at),
    }


def bulk_document(bulk: Bulk) -> answers.Bulk:
    """Return an operation on many jobs and how far it is."""
    return {
        "bulk_id": bulk.id,
        "action": bulk.action,
        "params": dict(bulk.params),
        "filter": bulk.filter,
        "actor": bulk.actor,
        "state": bulk.state,
        "progress": round(bulk.progress, 4),
        "matched": bulk.matched,
        "changed": bulk.changed,
        "error": bulk.error,
        "created_at": moment(bulk.created_at),
        "updated_at": moment(bulk.updated_at),
        "finished_at": moment(bulk.finished_at),
    }


def token_document(token: Token) -> answers.Token:
    """Return a token; its text is known to nobody."""
    return {
        "token_id": token.id,
        "name": token.name,
        "role": str(token.role),
        "queues": token.queues,
        "parent": token.parent,
        "created_by": token.created_by,
        "created_at": moment(token.created_at),
        "expires_at": moment(token.expires_at),
        "last_used_at": moment(token.last_used_at),
        "revoked_at": moment(token.revoked_at),
    }


def entry_document(entry: Entry) -> dict[str, object]:
    """Return a recorded change; its hash is made of the hash before it and of ``text``, byte for byte."""
    return {**safe(decode_json(entry.text)), "text": entry.text, "hash": entry.hash.hex()}


def _error(error: AttemptError) -> answers.AttemptFailure:
    return {"at": moment(error.at), "attempt": error.attempt, "error": error.error, "trace": error.trace}


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def safe(value: Any) -> Any:
    """Return a JSON value that orjson can write: integers beyond 64 bits as fragments of text."""
    match value:
        case Mapping():
            return {name: safe(member) for name, member in value.items()}
        case list():
            return [safe(element) for element in value]
        case int() if not -(2**63) <= value < 2**64:
            return orjson.Fragment(str(value))
        case Decimal():
            return orjson.Fragment(str(value))
        case _:
            return value
