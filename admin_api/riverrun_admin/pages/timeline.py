"""What happened to a job, in order, as far as its row tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from riverrun.job import FINALIZED, Job, JobState


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened or is to come.

    Attributes:
        name: What; the text ``event.<name>`` says it.
        tone: The class of its colour and the name of its icon.
        at: When; ``None`` if the row does not tell.
        detail: An error's first line, or who ran it.
        attempt: Which attempt, if it was one.
        seconds: How long it took, if it took time.
    """

    name: str
    tone: str
    at: datetime | None
    detail: str = ""
    attempt: int | None = None
    seconds: float | None = None


def timeline(job: Job) -> list[Event]:
    """Return the life of ``job``: enqueued, due, each failed attempt, the present or last one, and its end."""
    events = [Event("enqueued", "available", job.created_at)]
    if job.attempt == 0 and job.scheduled_at > job.created_at + timedelta(seconds=1):
        events.append(Event("due", "scheduled", job.scheduled_at))
    events += [
        Event("failed", "discarded", error.at, error.error.partition("\n")[0][:300], attempt=error.attempt)
        for error in job.errors
    ]
    last = _last_attempt(job)
    if last is not None:
        events.append(last)
    snoozes = job.metadata.get("snoozes")
    if isinstance(snoozes, int) and snoozes > 0:
        events.append(Event("snoozed", "scheduled", None, str(snoozes)))
    if job.state in (JobState.RETRYABLE, JobState.SCHEDULED) and job.attempt:
        events.append(Event("next", str(job.state), job.scheduled_at))
    if job.state in FINALIZED:
        events.append(Event(str(job.state), str(job.state), job.finalized_at))
    return events


def _last_attempt(job: Job) -> Event | None:
    """Return the newest attempt, unless its failure is told already."""
    failed = {error.attempt for error in job.errors}
    if job.attempted_at is None or (job.attempt in failed and job.state is not JobState.RUNNING):
        return None
    name = "runs" if job.state is JobState.RUNNING else "ran"
    seconds = None if job.finalized_at is None else max(0.0, (job.finalized_at - job.attempted_at).total_seconds())
    by = job.attempted_by[-1] if job.attempted_by else ""
    return Event(name, "running", job.attempted_at, by, attempt=job.attempt, seconds=seconds)
