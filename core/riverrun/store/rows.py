"""Turn rows of ``river_job`` into jobs; the statements that return whole jobs share this order of columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from riverrun.job import AttemptError, Job, JobState, decode_members

JOB_COLUMNS = 18


def job_from(row: Sequence[Any]) -> Job:
    """Return the job in the first 18 columns of ``row``, as ``parts/job_whole.sql`` lists them."""
    return Job(
        id=row[0],
        state=JobState(row[1]),
        attempt=row[2],
        max_attempts=row[3],
        attempted_at=row[4],
        created_at=row[5],
        finalized_at=row[6],
        scheduled_at=row[7],
        priority=row[8],
        args_text=row[9],
        attempted_by=tuple(row[10] or ()),
        errors=tuple(AttemptError.from_json(text) for text in row[11] or ()),
        kind=row[12],
        metadata=decode_members(row[13]),
        queue=row[14],
        tags=tuple(row[15]),
        unique_key=row[16],
        unique_states=row[17],
    )
