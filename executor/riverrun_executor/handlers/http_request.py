"""What is posted to a service: the job's arguments as the database keeps them, and everything about the attempt."""

from __future__ import annotations

import string
import time
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

import orjson

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.transition import snooze_count
from riverrun.webhook import Credentials, Fence, callback_token, signature
from riverrun_executor.handlers.http_outcome import RESULT_TYPE
from riverrun_executor.handlers.job_facts import trace_context, users_metadata

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Arguments and metadata may have 1 MiB each; what is around them is small."""

RERUNS_KEY = "riverrun:reruns"
"""Counts how often a finished job was retried by hand; `job_retry.sql` writes it."""

_AS_IT_IS = string.punctuation.replace("%", "") + " "
_ACCEPT = f"application/json, {RESULT_TYPE}, application/x-ndjson, text/event-stream"


class TooLarge(Exception):
    """A job is too large for any request; no fault of the service, which never hears of it.

    Attributes:
        error_type: The word for it in metrics and the job's errors.
    """

    error_type = "request_too_large"


def body(job: ClaimedJob, context: Context, form: Literal["envelope", "args", "cloudevents"]) -> bytes:
    """Return the body of the request; the arguments go in as the text the database keeps.

    Raises:
        TooLarge: It would have more than `MAX_BODY_BYTES`.
    """
    sent = _body(job, context, form)
    if len(sent) > MAX_BODY_BYTES:
        raise TooLarge(f"the request would be larger than {MAX_BODY_BYTES} bytes")
    return sent


def _body(job: ClaimedJob, context: Context, form: Literal["envelope", "args", "cloudevents"]) -> bytes:
    if form != "envelope":
        return job.args_text.encode()
    data = {
        "job_id": job.id,
        "task_type": job.kind,
        "queue": job.queue,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "priority": job.priority,
        "tags": list(job.tags),
        "created_at": job.created_at,
        "scheduled_at": job.scheduled_at,
        "deadline": context.deadline,
        "metadata": orjson.Fragment("{}" if job.metadata_text == "{}" else users_metadata(job)),
        "args": orjson.Fragment(job.args_text),
    }
    return orjson.dumps({"type": "job.execute", "timestamp": datetime.now(UTC), "data": data}, option=orjson.OPT_UTC_Z)


def headers(job: ClaimedJob, context: Context, form: Literal["envelope", "args", "cloudevents"]) -> dict[str, str]:
    """Return the header fields of the request; a receiver must not authorize on them."""
    fields = {
        "Content-Type": "application/json",
        "Accept": _ACCEPT,
        "Accept-Encoding": "identity",
        "Job-Id": str(job.id),
        "Job-Kind": _field(job.kind),
        "Job-Queue": _field(job.queue),
        "Job-Priority": str(job.priority),
        "Job-Attempt": str(job.attempt),
        "Job-Max-Attempts": str(job.max_attempts),
        "Job-Snoozes": str(snoozes(job)),
        "Job-Attempt-Token": context.fence,
        "Job-Created-At": job.created_at.isoformat(),
        "Job-Scheduled-At": job.scheduled_at.isoformat(),
        "Idempotency-Key": f"job_{job.id}",
    }
    if context.limit_seconds is not None and context.deadline is not None:
        fields["Job-Timeout"] = f"{context.limit_seconds:.15g}"
        fields["Job-Deadline"] = context.deadline.isoformat()
    fields.update(trace_context(job))
    if form == "cloudevents":
        fields |= {
            "ce-specversion": "1.0",
            "ce-id": message_id(job),
            "ce-type": _field(job.kind),
            "ce-source": f"/riverrun/queue/{_field(job.queue)}",
            "ce-time": job.created_at.isoformat(),
        }
    return fields


def proofs(job: ClaimedJob, credentials: Credentials, sent: bytes) -> dict[str, str]:
    """Return the header fields that prove who sends ``sent``, and the token for callbacks about this attempt."""
    fence = Fence(job.id, job.attempt, job.attempted_us)
    fields = {"Job-Callback-Token": callback_token(credentials.callback_key, fence)}
    if credentials.secrets:
        identity, timestamp = message_id(job), int(time.time())
        fields["webhook-id"] = identity
        fields["webhook-timestamp"] = str(timestamp)
        fields["webhook-signature"] = signature(
            credentials.secrets, message_id=identity, timestamp=timestamp, body=sent
        )
    return fields


def cancellation(job: ClaimedJob, reason: str) -> bytes:
    """Return the body that tells a service that an attempt was given up."""
    return orjson.dumps({"job_id": job.id, "attempt": job.attempt, "reason": reason})


def message_id(job: ClaimedJob) -> str:
    """Return what a receiver tells messages apart by.

    It stays the same when an attempt failed and the job is tried again, and is another one after a snooze or when
    somebody ran a finished job once more, both of which are meant to be worked again.
    """
    runs = snoozes(job) + _reruns(job)
    return f"job_{job.id}_{runs}" if runs else f"job_{job.id}"


def snoozes(job: ClaimedJob) -> int:
    """Return how often a job was snoozed."""
    return snooze_count(job.metadata) if '"snoozes"' in job.metadata_text else 0


def _reruns(job: ClaimedJob) -> int:
    """Return how often the job was retried by hand after it had ended."""
    runs = job.metadata.get(RERUNS_KEY) if RERUNS_KEY in job.metadata_text else None
    return runs if isinstance(runs, int) and runs > 0 else 0


def _field(text: str) -> str:
    """Return a name that a client of any language may have chosen as a header value; what cannot be one is escaped."""
    return quote(text, safe=_AS_IT_IS)
