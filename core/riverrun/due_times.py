"""Says when an expression is due next, so that every leader comes to the same ticks.

The answer depends on nothing but the expression and the moment:

- fields that name their hours follow the clock on the wall: a time that the clock jumps over is due once,
  right after the jump; a time that comes twice is due the first time;
- fields whose hours are ``*`` or ``*/n`` follow elapsed time: they go on through a repeated hour and have
  nothing to do in one that is missing;
- ``@every`` follows UTC: multiples of its period since 1970.

cronsim walks the calendar, without zones; the zones are applied here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from riverrun.moments import EPOCH

_SECOND = timedelta(seconds=1)
# No clock was ever set back by more than a day; even every minute of it is walked in a few milliseconds.
_LONGEST_REPEAT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed ``period``, counted from 1970-01-01 UTC, so that a new leader counts as the old one did."""

    period: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """Return the first due time after ``moment``, in UTC."""
        return EPOCH + ((moment - EPOCH) // self.period + 1) * self.period


@dataclass(frozen=True, slots=True)
class Calendar:
    """A cron expression in a zone.

    Attributes:
        fields: Five fields in a form that cronsim and River read alike: lists of numbers, or ``*``.
        zone: The zone whose clock the fields mean.
        follows_the_clock: Whether the hours are named; see the text of this module.
    """

    fields: str
    zone: ZoneInfo
    follows_the_clock: bool

    def next_after(self, moment: datetime) -> datetime:
        """Return the first due time after ``moment``, which must have a zone; in UTC."""
        return self._first_on_the_clock(moment) if self.follows_the_clock else self._first_elapsed(moment)

    def _first_on_the_clock(self, moment: datetime) -> datetime:
        """Return the first due time when every time on the wall counts once."""
        local = moment.astimezone(self.zone).replace(tzinfo=None, fold=0)
        return next(due for due in map(self._on_the_clock, self._walk(local)) if due > moment)

    def _first_elapsed(self, moment: datetime) -> datetime:
        """Return the first due time when a repeated time on the wall counts twice and a missing one never."""
        local = moment.astimezone(self.zone)
        start = local.replace(tzinfo=None, fold=0)
        if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
            start -= _LONGEST_REPEAT  # what the clock showed a while ago, it may show again
        best: datetime | None = None
        for wall in self._walk(start):
            first, second = self._instants(wall)
            best = min((due for due in (best, first, second) if due and due > moment), default=None)
            if best and first and first >= best:
                return best
        raise AssertionError("an expression that is never due was refused when it was read")

    def _walk(self, wall: datetime) -> Iterator[datetime]:
        """Return the times after ``wall`` that the fields name, as the clock on the wall shows them."""
        return CronSim(self.fields, wall)

    def _instants(self, wall: datetime) -> tuple[datetime | None, datetime | None]:
        """Return when the clock shows ``wall``: twice when it is set back, never when it jumps over it."""
        first, second = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        shown = first.astimezone(self.zone).replace(tzinfo=None, fold=0) == wall
        return (first, second if second > first else None) if shown else (None, None)

    def _on_the_clock(self, wall: datetime) -> datetime:
        """Return the one instant for ``wall``: its first, or the end of the jump that it lies in."""
        first, _ = self._instants(wall)
        if first:
            return first
        # In a jump the offset before it leads past its end, the offset after it to before its start.
        late, early = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        offset = late.astimezone(self.zone).utcoffset()
        while late - early > _SECOND:
            middle = early + (late - early) // 2
            if middle.astimezone(self.zone).utcoffset() == offset:
                late = middle
            else:
                early = middle
        return late.replace(microsecond=0)
