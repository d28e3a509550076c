"""How single jobs stand, for those who look at one while it runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from riverrun.database.statements import Query, Steps
from riverrun.job import JobState


@dataclass(frozen=True, slots=True)
class Watched:
    """A job without what it carries; ``progress_text`` is JSON as its handler told it."""

    job_id: int
    state: JobState
    attempt: int
    max_attempts: int
    scheduled_at: datetime
    attempted_at: datetime | None
    finalized_at: datetime | None
    errors: int
    cancel_requested: bool
    progress_text: str | None


def watch(job_ids: Collection[int]) -> Steps[dict[int, Watched]]:
    """Return how those of the jobs stand that exist, by id."""
    if not job_ids:
        return {}
    rows = yield Query("job_watch", {"ids": sorted(job_ids)})
    return {row[0]: Watched(row[0], JobState(row[1]), *row[2:]) for row in rows}
