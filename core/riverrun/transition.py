"""Decides what an outcome changes in the job's row; no I/O, so that every case can be tested as a value.

    Completed    → completed                       output merged into metadata
    Failed       → available | retryable           attempts left: one error more, due after the retry delay
                 → discarded                       none left: one error more
    Discarded    → discarded                       one error more
    Cancelled    → cancelled                       one error more
    Snoozed      → available | scheduled           attempt given back, metadata.snoozes + 1
    Interrupted  → available                       attempt given back, due now

``available`` instead of ``retryable`` and ``scheduled`` is for delays of at most 5 seconds: by the time the
scheduler looks for due jobs they would be. What only the row knows is left to the statement that writes it:
a job whose cancellation was asked for meanwhile ends as ``cancelled`` instead of running again.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, assert_never

from riverrun.job import AttemptError, JobState
from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Interrupted, Outcome, Snoozed
from riverrun.retry import MAX_DELAY, RIVER_BACKOFF, RetryPolicy, retry_delay
from riverrun.sanitize import clean_text

SOON = timedelta(seconds=5)
"""A job that is due within this time becomes available at once."""

CANCEL_PREFIX = "JobCancelError: "
"""River's own: its pages and its users tell by it that a job was given up."""

MAX_ERROR_BYTES = 16 * 1024
MAX_TRACE_BYTES = 64 * 1024

_NOW = timedelta(0)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_MOST_SNOOZES = 2**63 - 2


class JobFacts(Protocol):
    """What has to be known of a job to decide; `riverrun.claimed_job.ClaimedJob` knows it."""

    @property
    def attempt(self) -> int:
        """Number of the attempt that ended, from 1."""

    @property
    def max_attempts(self) -> int:
        """How many attempts the job may use up."""

    @property
    def error_count(self) -> int:
        """Elements in ``errors`` before this attempt."""

    @property
    def attempted_at(self) -> datetime:
        """When the attempt started."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The job's metadata as it was claimed."""


@dataclass(frozen=True, slots=True)
class Finalization:
    """The columns that change when an attempt ends; a None leaves its column as it is.

    Attributes:
        state: The new state.
        attempt: The new value of ``attempt``.
        error_json: The element to append to ``errors``.
        scheduled_in: The new ``scheduled_at``, counted from the database's now.
        metadata_patch_json: An object to merge into ``metadata``.
    """

    state: JobState
    attempt: int
    error_json: str | None = None
    scheduled_in: timedelta | None = None
    metadata_patch_json: str | None = None


def decide(
    job: JobFacts, outcome: Outcome, *, rng: random.Random, backoff: RetryPolicy = RIVER_BACKOFF
) -> Finalization:
    """Return what ``outcome`` changes in the row of ``job``.

    Args:
        job: The job as it was claimed.
        outcome: How its attempt ended. Texts may hold anything: they are cleaned and cut here.
        rng: Source of the jitter in retry delays.
        backoff: The retry policy of the job's handler.
    """
    match outcome:
        case Completed(output_json=output):
            output_patch = None if output is None else f'{{"output":{output}}}'
            return Finalization(JobState.COMPLETED, job.attempt, metadata_patch_json=output_patch)
        case Failed() if job.attempt < job.max_attempts:
            delay = _retry_delay(job, outcome.retry_in, rng=rng, backoff=backoff)
            state = JobState.AVAILABLE if delay <= SOON else JobState.RETRYABLE
            return Finalization(state, job.attempt, _error_json(job, outcome.error, outcome.trace), delay)
        case Failed(error=error, trace=trace) | Discarded(error=error, trace=trace):
            return Finalization(JobState.DISCARDED, job.attempt, _error_json(job, error, trace))
        case Cancelled(error=error, trace=trace):
            error_json = _error_json(job, CANCEL_PREFIX + error, trace)
            return Finalization(JobState.CANCELLED, job.attempt, error_json)
        case Snoozed(delay=delay):
            delay = max(_NOW, min(delay, MAX_DELAY))
            state = JobState.AVAILABLE if delay <= SOON else JobState.SCHEDULED
            patch = json.dumps({"snoozes": snooze_count(job.metadata) + 1})
            return Finalization(state, _given_back(job), scheduled_in=delay, metadata_patch_json=patch)
        case Interrupted():
            return Finalization(JobState.AVAILABLE, _given_back(job), scheduled_in=_NOW)
        case _:
            assert_never(outcome)


def with_notes(final: Finalization, notes: str | None) -> Finalization:
    """Return ``final`` with what the handler has noted: an object that is not empty, as JSON text, or ``None``."""
    patch = final.metadata_patch_json
    merged = f"{notes[:-1]},{patch[1:]}" if notes and patch else notes or patch
    return replace(final, metadata_patch_json=merged)


def snooze_count(metadata: Mapping[str, Any]) -> int:
    """Return how often a job was snoozed, read as leniently as River reads it; what is no number is 0."""
    match metadata.get("snoozes"):
        case bool() | int() as count:
            number = int(count)
        case float() as count if math.isfinite(count):
            number = math.trunc(count)
        case str() as count if _INTEGER.fullmatch(count):
            number = int(count)
        case _:
            number = 0
    return max(-_MOST_SNOOZES, min(number, _MOST_SNOOZES))


def _retry_delay(job: JobFacts, asked: timedelta | None, *, rng: random.Random, backoff: RetryPolicy) -> timedelta:
    """Return the delay the handler asked for, or that of the policy; a negative one counts as none, as in River."""
    if asked is None or asked < _NOW:
        return retry_delay(backoff, errors=job.error_count, rng=rng, job=job)
    return min(asked, MAX_DELAY)


def _given_back(job: JobFacts) -> int:
    """Return the attempt number before this attempt."""
    return max(0, job.attempt - 1)


def _error_json(job: JobFacts, error: str, trace: str) -> str:
    """Return the element for ``errors``, in a form that can be stored."""
    message, stack = clean_text(error, MAX_ERROR_BYTES), clean_text(trace, MAX_TRACE_BYTES)
    return AttemptError(at=job.attempted_at, attempt=job.attempt, error=message, trace=stack).to_json()
