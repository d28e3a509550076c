"""Failed jobs by what went wrong, so that one broken mail server is one line and not ten thousand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from riverrun.database.statements import Query, Row, Steps

LOOKED_AT = 1_000
"""How many discarded and how many retryable jobs are looked at: the newest, and those of each queue that run first."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Jobs of one kind whose last attempts failed alike.

    Attributes:
        fingerprint: 16 hexadecimal digits of kind and message; they name the group among all jobs, looked at or not.
        message: First line of the error, with numbers and ids replaced by ``#``.
        newest: The job that failed last, and ``example``, its whole message.
        hour, day, week: Jobs whose last failure is no older than that.
        ids: The jobs, the newest first, at most 1,000.
    """

    fingerprint: str
    kind: str
    message: str
    newest: int
    example: str
    queues: tuple[str, ...]
    discarded: int
    retryable: int
    hour: int
    day: int
    week: int
    first_at: datetime | None
    last_at: datetime | None
    ids: tuple[int, ...]


def groups(*, queues: Sequence[str] | None = None) -> Steps[tuple[list[Failure], bool]]:
    """Return the groups of the newest failures, and whether there are failures beyond them.

    With ``queues`` only the jobs of these count; those that are looked at stay the newest of all.
    """
    named = None if queues is None else list(queues)
    rows = yield Query("job_failures", {"queues": named, "looked": LOOKED_AT})
    return [_failure(row) for row in rows], bool(rows) and rows[0][-1]


def _failure(row: Row) -> Failure:
    fingerprint, kind, message, newest, example, queues, *counts, ids, _ = row
    discarded, retryable, hour, day, week, first_at, last_at = counts
    return Failure(
        fingerprint=fingerprint,
        kind=kind,
        message=message,
        newest=newest,
        example=example,
        queues=tuple(queues),
        discarded=discarded,
        retryable=retryable,
        hour=hour,
        day=day,
        week=week,
        first_at=first_at,
        last_at=last_at,
        ids=tuple(ids),
    )
