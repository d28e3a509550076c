"""What a service is told about a job beside its arguments, whatever it is called over."""

from __future__ import annotations

from collections.abc import Mapping

from riverrun.claimed_job import ClaimedJob
from riverrun.sanitize import clean_json

MAX_TRACE_FIELD = 512
"""The longest ``tracestate`` that the standard asks anybody to pass on."""

_OWN_METADATA = ("river:", "riverrun:")


def users_metadata(job: ClaimedJob) -> str:
    """Return the metadata of a job as JSON text, without the keys that queues keep for themselves."""
    return clean_json({key: value for key, value in job.metadata.items() if not key.startswith(_OWN_METADATA)})


def trace_context(job: ClaimedJob) -> Mapping[str, str]:
    """Return the fields of the trace in which the job was enqueued; what cannot be a header's value is left out."""
    if "trace" not in job.metadata_text:
        return {}
    found = {name: job.metadata.get(name) for name in ("traceparent", "tracestate")}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, str) and len(value) <= MAX_TRACE_FIELD and value.isascii() and value.isprintable()
    }
