"""What people are to be told, and that they are told once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from riverrun.database.statements import Query, Steps

LATELY = timedelta(minutes=5)
MOST_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class Discarded:
    """Jobs of one queue and kind that were discarded within the last five minutes."""

    queue: str
    kind: str
    jobs: int
    newest_id: int
    error: str | None


def discarded_lately() -> Steps[list[Discarded]]:
    """Return what was discarded within the last five minutes; of very many the latest 10,000."""
    rows = yield Query("job_discarded_lately", {"seconds": LATELY.total_seconds(), "cap": MOST_LOOKED_AT})
    return [Discarded(*row) for row in rows]


def take(generation: int, rule: str, subjects: Collection[str], quiet: timedelta) -> Steps[set[str]]:
    """Return the subjects that this leader is to tell about: those that nobody told about for ``quiet``."""
    if not subjects:
        return set()
    rows = yield Query(
        "notice_take",
        {"generation": generation, "rule": rule, "subjects": sorted(subjects), "quiet": quiet.total_seconds()},
    )
    return {row[0] for row in rows}
