"""Makes jobs available whose time has come."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from riverrun.database.statements import Query, Steps


@dataclass(frozen=True, slots=True)
class DueAfter:
    """Where to begin to look for due jobs, which are looked at in the order of (scheduled_at, id).

    Attributes:
        floor_at: Only behind this place; ``None``: wherever they are.
        floor_id: The id of that place.
        reach: Only what has been due for no longer.
    """

    floor_at: datetime | None = None
    floor_id: int = 0
    reach: timedelta | None = None


EVERYWHERE = DueAfter()


@dataclass(frozen=True, slots=True)
class Promotion:
    """What one batch did.

    Attributes:
        promoted: Jobs that became available.
        contested: Due jobs that take up a unique key by becoming available; `promote_contested` takes them one by one.
        reached: (scheduled_at, id) of the last job that was looked at.
    """

    promoted: int
    contested: tuple[int, ...]
    reached: tuple[datetime, int] | None


def promote(generation: int, *, batch: int, after: DueAfter = EVERYWHERE) -> Steps[Promotion]:
    """Look at up to ``batch`` due jobs, earliest first, and make those available that can collide with no other."""
    (row,) = yield Query("job_promote", {"generation": generation, "batch": batch, **asdict(after)})
    reached = None if row[2] is None else (row[2], row[3])
    return Promotion(promoted=row[0], contested=tuple(row[1]), reached=reached)


def promote_contested(generation: int, job_id: int) -> Steps[str | None]:
    """Make one due job available, or discard it when another job holds its unique key; return the new state.

    ``None`` when it was not due any more. Raises psycopg's ``UniqueViolation`` or ``LockNotAvailable`` while another
    transaction is taking up the same key.
    """
    rows = yield Query("job_promote_contested", {"generation": generation, "id": job_id})
    return rows[0][0] if rows else None
