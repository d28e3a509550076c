"""Makes jobs available whose time has come."""

from __future__ import annotations

from dataclasses import dataclass

from riverrun.database.statements import Query, Steps


@dataclass(frozen=True, slots=True)
class Promotion:
    """What one batch did.

    Attributes:
        promoted: Jobs that became available.
        contested: Due jobs that take up a unique key by becoming available; `promote_contested` takes them one by one.
    """

    promoted: int
    contested: tuple[int, ...]


def promote(generation: int, *, batch: int) -> Steps[Promotion]:
    """Look at up to ``batch`` due jobs, earliest first, and make those available that can collide with no other."""
    (row,) = yield Query("job_promote", {"generation": generation, "batch": batch})
    return Promotion(promoted=row[0], contested=tuple(row[1]))


def promote_contested(generation: int, job_id: int) -> Steps[str | None]:
    """Make one due job available, or discard it when another job holds its unique key; return the new state.

    ``None`` when it was not due any more. Raises psycopg's ``UniqueViolation`` or ``LockNotAvailable`` while another
    transaction is taking up the same key.
    """
    rows = yield Query("job_promote_contested", {"generation": generation, "id": job_id})
    return rows[0][0] if rows else None
