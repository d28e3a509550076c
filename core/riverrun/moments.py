"""Says which points in time may be stored: PostgreSQL has more of them than Python, and every door refuses the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from riverrun.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
"""Stands for everything before it that another client has stored, ``-infinity`` too; any zone can show it."""

LATEST = datetime(9999, 12, 30, tzinfo=UTC)
"""Stands for everything after it that another client has stored, ``infinity`` too; any zone can show it."""

_MICROSECOND = timedelta(microseconds=1)


def check_moment(value: object, field: str) -> datetime:
    """Return ``value`` as a point in time that every client can read back, in UTC.

    Raises:
        InvalidInput: It is none, has no zone, or lies before 1970 or after 9998.
    """
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidInput(field, value, "a time with a zone", code="format")
    if not EPOCH.year <= value.year < LATEST.year:
        raise InvalidInput(field, value, "a time from 1970 to 9998")
    return value.astimezone(UTC)


def bounded(moment: datetime) -> datetime:
    """Return ``moment``, or what stands for it when it cannot be shown in every zone."""
    return max(EARLIEST, min(moment, LATEST))


def microseconds(moment: datetime) -> int:
    """Return the microseconds from 1970 to ``moment``, exact where floats are not."""
    return (moment - EPOCH) // _MICROSECOND


def from_microseconds(since_1970: int) -> datetime:
    """Return the point in time, in UTC, that lies so many microseconds after 1970."""
    return EPOCH + since_1970 * _MICROSECOND
