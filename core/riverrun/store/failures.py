"""Failed jobs by what went wrong, so that one broken mail server is one line and not ten thousand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from riverrun.database.statements import Query, Row, Steps
from riverrun.errors import NotFound

LOOKED_AT = 1_000
"""How many discarded and how many retryable jobs are looked at: the newest, and those of each queue that run first."""

LOOKED_AT_FOR_A_KIND = 10_000
"""The same for the jobs of one kind, which stand among all others; `LOOKED_AT` of each state are still grouped."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Jobs of one kind whose last attempts failed alike.

    Attributes:
        fingerprint: Names the group: 16 hexadecimal digits of its kind and message.
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

    @property
    def jobs(self) -> int:
        """How many jobs the group has."""
        return self.discarded + self.retryable


def groups(*, kind: str | None = None, queues: Sequence[str] | None = None) -> Steps[tuple[list[Failure], bool]]:
    """Return the groups of the newest failures, of one kind or all, and whether there are failures beyond them.

    With ``queues`` only the jobs of these count; those that are looked at stay the newest of all.
    """
    named = None if queues is None else list(queues)
    looked = LOOKED_AT if kind is None else LOOKED_AT_FOR_A_KIND
    rows = yield Query("job_failures", {"kind": kind, "queues": named, "looked": looked, "most": LOOKED_AT})
    return [_failure(row) for row in rows], bool(rows) and rows[0][-1]


def group(kind: str, fingerprint: str, *, queues: Sequence[str] | None = None) -> Steps[Failure]:
    """Return one group as it is now.

    Raises:
        NotFound: No failed job of ``kind`` belongs to it.
    """
    found, _ = yield from groups(kind=kind, queues=queues)
    for each in found:
        if each.fingerprint == fingerprint:
            return each
    raise NotFound("error", fingerprint)


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
