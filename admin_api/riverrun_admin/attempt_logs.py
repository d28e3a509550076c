"""The log of a job, as River's clients keep it in its metadata; another client may have put anything there."""

from __future__ import annotations

from collections.abc import Mapping

from riverrun.job import Job


def attempt_logs(job: Job) -> list[tuple[int, str]]:
    """Return each attempt that has logged something and what it has logged, the oldest first."""
    kept = job.metadata.get("river:log")
    entries = [each for each in kept if isinstance(each, Mapping)] if isinstance(kept, list) else []
    found = [(each.get("attempt"), each.get("log")) for each in entries]
    return [(attempt, text) for attempt, text in found if isinstance(attempt, int) and isinstance(text, str)]
