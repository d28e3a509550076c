"""Stands for a registration that this executor cannot run."""

from __future__ import annotations

from datetime import timedelta

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.outcome import Failed, Outcome
from riverrun.retry import RIVER_BACKOFF, RetryPolicy


class Unusable:
    """Its jobs fail with the reason, and are retried: another executor, or this one later, may know how."""

    timeout: timedelta | None = None
    concurrency: int | None = None
    backoff: RetryPolicy = RIVER_BACKOFF

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def run(self, job: ClaimedJob, context: Context) -> Outcome:  # noqa: ARG002 - no attempt is made
        """Fail with the reason."""
        return Failed(self._reason, error_type="unsupported")
