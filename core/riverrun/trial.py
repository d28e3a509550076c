"""A trial of a handler: one job like any other but with a single attempt, so that all that runs jobs is tried."""

from __future__ import annotations

from riverrun.new_job import NewJob, new_job
from riverrun.store.registry import RegisteredHandler

TAG = "handler-trial"
LOOK_SECONDS = 0.1
"""Between two looks at whether the job has ended."""


def trial(kind: str, args: object, *, queue: str) -> NewJob:
    """Return the job to enqueue.

    Raises:
        InvalidInput: Something is not allowed; names the field.
    """
    return new_job(kind, args, queue=queue, max_attempts=1, tags=[TAG])


def obstacle(handler: RegisteredHandler) -> str | None:
    """Return why a job of this handler would not be claimed now; None: it would."""
    if handler.paused_at is not None:
        return f"the handler of {handler.kind} is paused; resume it first"
    if handler.health.breaker != "closed":
        return f"the breaker of {handler.kind} is open ({handler.health.reason}); resume it to try at once"
    return None
