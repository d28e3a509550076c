"""What a gRPC service is told about an attempt: the message, and the metadata beside it."""

from __future__ import annotations

import string
from urllib.parse import quote

from google.protobuf.timestamp_pb2 import Timestamp

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.transition import snooze_count
from riverrun_executor.handlers.job_facts import trace_context, users_metadata
from riverrun_executor.proto.riverrun.v1.handler_pb2 import RunRequest

_AS_IT_IS = string.punctuation.replace("%", "") + " "
_LARGEST_INT32 = 2**31 - 1


def request(job: ClaimedJob, context: Context) -> RunRequest:
    """Return the message about an attempt; the arguments go in as the text the database keeps."""
    metadata = b"{}" if job.metadata_text == "{}" else users_metadata(job).encode()
    return RunRequest(
        job_id=job.id,
        task_type=job.kind,
        queue=job.queue,
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        priority=job.priority,
        snoozes=0 if metadata == b"{}" else max(0, min(snooze_count(job.metadata), _LARGEST_INT32)),
        args_json=job.args_text.encode(),
        metadata_json=metadata,
        tags=job.tags,
        idempotency_key=f"job_{job.id}",
        created_at=_timestamp(job.created_us),
        scheduled_at=_timestamp(job.scheduled_us),
        attempt_token=context.fence,
    )


def fields(job: ClaimedJob) -> tuple[tuple[str, str], ...]:
    """Return the metadata of the call, which proxies and interceptors see; a receiver must not authorize on them."""
    return (
        ("job-id", str(job.id)),
        ("job-kind", quote(job.kind, safe=_AS_IT_IS)),
        ("job-attempt", str(job.attempt)),
        ("idempotency-key", f"job_{job.id}"),
        *trace_context(job).items(),
    )


def _timestamp(microseconds: int) -> Timestamp:
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1_000)
