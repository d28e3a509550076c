"""Every due time of fifty schedules over three years, held against a calendar that is counted out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from fault import report
from riverrun.cron_grammar import parse_expression

BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
"""With a 29 February, and six changes of the clocks where there are any."""

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
NORTH, SOUTH, HALF, MIDNIGHT, RAMADAN = (
    "America/New_York", "Australia/Sydney", "Australia/Lord_Howe", "Asia/Beirut", "Africa/Casablanca"
)  # fmt: skip
CLOCK = ["30 2 * * *", "0,30 1-3 * * 0", "15 0 * * *", "59 23 * * *", "0 2 * * 0", "*/10 2 1-7 * *", "0 12 29 2 *"]
ELAPSED = ["0 * 1-14 3,11 *", "30 */2 * * 0", "*/15 * * 4 0"]
SCHEDULES = [(text, zone) for text in CLOCK + ELAPSED for zone in (NORTH, SOUTH, HALF, MIDNIGHT, RAMADAN)]


@dataclass(frozen=True)
class Fields:
    """The five fields of a schedule, each as what it allows."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    names_hours: bool
    any_day: bool
    any_weekday: bool

    def allow(self, day: datetime) -> bool:
        """Return whether a day is one of those meant; day and weekday together mean either."""
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        named = by_date and by_weekday if self.any_day or self.any_weekday else by_date or by_weekday
        return day.month in self.months and named


def read(text: str) -> Fields:
    """Read a schedule as its author would."""
    parts = text.split()
    ranges = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
    minutes, hours, days, months, weekdays = (
        frozenset(_numbers(part, *limits)) for part, limits in zip(parts, ranges, strict=True)
    )
    return Fields(
        minutes, hours, days, months, weekdays, not parts[1].startswith("*"), parts[2] == "*", parts[4] == "*"
    )


def _numbers(field: str, low: int, high: int) -> Iterator[int]:
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
        yield from range(int(first), int(last or first) + 1, int(step or 1))


@cache
def shown(zone: str, day: datetime) -> dict[datetime, list[datetime]]:
    """Return at which instants the clock of a zone shows each minute of a day: at none, one or two."""
    found: dict[datetime, list[datetime]] = {}
    for minute in range(54 * 60):
        instant = day.replace(tzinfo=UTC) - timedelta(hours=15) + minute * MINUTE
        wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
        if day <= wall < day + DAY:
            found.setdefault(wall, []).append(instant)
    return found


@cache
def offset_all_day(zone: str, day: datetime) -> timedelta | None:
    """Return by how much a zone is ahead of UTC on a day on which its clock is not touched."""
    around = {(day + timedelta(hours=h)).replace(tzinfo=ZoneInfo(zone)).utcoffset() for h in range(-30, 55, 3)}
    return around.pop() if len(around) == 1 else None


def by_hand(fields: Fields, zone: str) -> list[datetime]:
    """Return all due times, by the rules of the documentation."""
    due: set[datetime] = set()
    for number in range(-1, (END - BEGIN).days + 1):
        day = BEGIN.replace(tzinfo=None) + number * DAY
        if not fields.allow(day):
            continue
        walls = [day + timedelta(hours=hour, minutes=minute) for hour in fields.hours for minute in fields.minutes]
        ahead = offset_all_day(zone, day)
        if ahead is not None:
            due.update(wall.replace(tzinfo=UTC) - ahead for wall in walls)
            continue
        clock = shown(zone, day)
        for wall in walls:
            instants = clock.get(wall, [])
            if not fields.names_hours:
                due.update(instants)
            elif instants:
                due.add(instants[0])
            else:  # the clock jumps over it
                due.add(min(clock[later][0] for later in clock if later > wall))
    return sorted(instant for instant in due if BEGIN < instant < END)


@pytest.mark.quick
def test_three_years_of_fifty_schedules_are_as_counted_by_hand() -> None:
    """T3: clocks are set, there is a leap year, and months have their lengths."""
    ticks, wrong = 0, []
    for text, zone in SCHEDULES:
        expression = parse_expression(text, "cron", zone=zone)
        found, moment = [], BEGIN
        while (moment := expression.next_after(moment)) < END:
            found.append(moment)
        ticks += len(found)
        if found != by_hand(read(text), zone):
            wrong.append((text, zone))

    row = report.Row(
        fault="T3", what=f"{len(SCHEDULES)} schedules over three years, {ticks} ticks", jobs=0, p50=None, worst=None,
        target=None, counts={"C": len(wrong)},
    )  # fmt: skip
    report.keep(row)
    assert not wrong
