"""When schedules are due, also on the days when clocks are set."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun.cron_grammar import parse_expression

NEW_YORK, BERLIN, LORD_HOWE = "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"


def due_times(text: str, zone: str, after: str) -> Iterator[str]:
    """Return the due times as the zone's clock shows them, with their offset."""
    expression = parse_expression(text, "cron", zone=zone)
    moment = datetime.fromisoformat(after)
    while True:
        moment = expression.next_after(moment)
        assert moment.tzinfo is UTC
        yield moment.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")


CALENDAR = [
    ("*/15 * * * *", "2026-01-01T00:00:00Z", ["2026-01-01T00:15+00:00", "2026-01-01T00:30+00:00"]),
    ("*/15 * * * *", "2026-01-01T00:14:59.999999Z", ["2026-01-01T00:15+00:00"]),
    ("*/15 * * * *", "2026-01-01T00:15:00.000001Z", ["2026-01-01T00:30+00:00"]),
    ("0 0 29 2 *", "2026-01-01T00:00:00Z", ["2028-02-29T00:00+00:00", "2032-02-29T00:00+00:00"]),
    ("0 0 29 2 *", "2096-03-01T00:00:00Z", ["2104-02-29T00:00+00:00"]),
    ("0 0 31 * *", "2026-01-31T00:00:00Z", ["2026-03-31T00:00+00:00", "2026-05-31T00:00+00:00"]),
    (
        "0 0 13 * 5",
        "2026-01-01T00:00:00Z",
        ["2026-01-02T00:00+00:00", "2026-01-09T00:00+00:00", "2026-01-13T00:00+00:00"],
    ),
    ("0 0 13 * *", "2026-01-01T00:00:00Z", ["2026-01-13T00:00+00:00", "2026-02-13T00:00+00:00"]),
    (
        "0 0 */10 * 1",
        "2026-01-01T00:00:00Z",
        ["2026-01-05T00:00+00:00", "2026-01-11T00:00+00:00", "2026-01-12T00:00+00:00"],
    ),
    ("0 12 ? * sun", "2026-01-01T00:00:00Z", ["2026-01-04T12:00+00:00"]),
    ("@monthly", "2026-01-01T00:00:00Z", ["2026-02-01T00:00+00:00"]),
    ("59 23 31 12 *", "2026-12-31T23:59:00Z", ["2027-12-31T23:59+00:00"]),
]


@pytest.mark.parametrize(("text", "after", "expected"), CALENDAR)
def test_the_calendar_is_followed_in_utc(text: str, after: str, expected: list[str]) -> None:
    assert list(itertools.islice(due_times(text, "UTC", after), len(expected))) == expected


# New York: 2026-03-08 02:00 → 03:00, 2026-11-01 02:00 → 01:00. Berlin: 2026-03-29 02:00 → 03:00,
# 2026-10-25 03:00 → 02:00. Lord Howe: 2026-04-05 02:00 → 01:30, 2026-10-04 02:00 → 02:30.
# Apia: 2011-12-30 did not exist. Beirut: 2026-03-29 00:00 → 01:00.
CLOCKS = [
    # A named time in a jump: once, right after it.
    ("30 2 * * *", NEW_YORK, "2026-03-07T12:00-05:00", ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"]),
    ("0,30 2,3 * * *", NEW_YORK, "2026-03-08T00:00-05:00", ["2026-03-08T03:00-04:00", "2026-03-08T03:30-04:00"]),
    ("*/10 2 * * *", NEW_YORK, "2026-03-08T00:00-05:00", ["2026-03-08T03:00-04:00", "2026-03-09T02:00-04:00"]),
    ("15 2 * * *", BERLIN, "2026-03-29T00:00+01:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:15+02:00"]),
    ("15 2 * * *", LORD_HOWE, "2026-10-04T00:00+10:30", ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"]),
    ("30 0 * * *", "Asia/Beirut", "2026-03-28T12:00+02:00", ["2026-03-29T01:00+03:00", "2026-03-30T00:30+03:00"]),
    (
        "0 9 * * *",
        "Pacific/Apia",
        "2011-12-29T08:00-10:00",
        ["2011-12-29T09:00-10:00", "2011-12-31T00:00+14:00", "2011-12-31T09:00+14:00"],
    ),
    # A named time that comes twice: the first time.
    ("30 1 * * *", NEW_YORK, "2026-10-31T12:00-04:00", ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]),
    ("30 1 * * *", NEW_YORK, "2026-11-01T01:15-05:00", ["2026-11-02T01:30-05:00"]),
    (
        "*/30 1 * * *",
        NEW_YORK,
        "2026-11-01T00:00-04:00",
        ["2026-11-01T01:00-04:00", "2026-11-01T01:30-04:00", "2026-11-02T01:00-05:00"],
    ),
    ("30 2 * * *", BERLIN, "2026-10-24T12:00+02:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
    ("45 1 * * *", LORD_HOWE, "2026-04-05T00:00+11:00", ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"]),
    ("*/10 2 * * *", LORD_HOWE, "2026-04-05T01:45+10:30", ["2026-04-05T02:00+10:30", "2026-04-05T02:10+10:30"]),
    # Elapsed time goes on.
    (
        "0 * * * *",
        NEW_YORK,
        "2026-03-08T00:30-05:00",
        ["2026-03-08T01:00-05:00", "2026-03-08T03:00-04:00", "2026-03-08T04:00-04:00"],
    ),
    (
        "30 * * * *",
        NEW_YORK,
        "2026-11-01T00:30-04:00",
        ["2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00", "2026-11-01T02:30-05:00"],
    ),
    (
        "*/30 * * * *",
        NEW_YORK,
        "2026-11-01T01:00-04:00",
        ["2026-11-01T01:30-04:00", "2026-11-01T01:00-05:00", "2026-11-01T01:30-05:00", "2026-11-01T02:00-05:00"],
    ),
    (
        "*/20 * * * *",
        LORD_HOWE,
        "2026-04-05T01:30+11:00",
        ["2026-04-05T01:40+11:00", "2026-04-05T01:40+10:30", "2026-04-05T02:00+10:30"],
    ),
    (
        "0 */2 * * *",
        BERLIN,
        "2026-10-25T01:00+02:00",
        ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T04:00+01:00"],
    ),
    ("0 */2 * * *", BERLIN, "2026-03-29T01:00+01:00", ["2026-03-29T04:00+02:00"]),
]


@pytest.mark.parametrize(("text", "zone", "after", "expected"), CLOCKS)
def test_a_clock_that_is_set_neither_loses_nor_doubles_a_named_time(
    text: str, zone: str, after: str, expected: list[str]
) -> None:
    assert list(itertools.islice(due_times(text, zone, after), len(expected))) == expected


def test_every_counts_from_1970_so_that_no_leader_shifts_it() -> None:
    every = parse_expression("@every 7m", "cron")
    moment = datetime(2026, 3, 8, 6, 59, 59, 999_999, tzinfo=UTC)

    due = every.next_after(moment)

    assert due.timestamp() % 420 == 0
    assert timedelta(0) < due - moment <= timedelta(minutes=7)
    assert every.next_after(due) == due + timedelta(minutes=7)


def test_the_next_time_is_found_quickly_also_in_a_repeated_hour() -> None:
    every_minute = parse_expression("* * * * *", "cron", zone=NEW_YORK)
    leap_day = parse_expression("59 23 29 2 *", "cron", zone=NEW_YORK)
    repeated = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    started = time.process_time()

    for _ in range(10):
        every_minute.next_after(repeated)
        leap_day.next_after(repeated)

    assert time.process_time() - started < 1.0


TEXTS = ["*/7 * * * *", "30 2 * * *", "*/20 1-3 * * *", "0 0 * * *", "15 */3 1,15 * 2", "@every 11m", "0 0,12 31 * *"]
ZONES = ["UTC", NEW_YORK, BERLIN, LORD_HOWE, "Pacific/Apia", "Asia/Beirut", "America/Havana", "Africa/Casablanca"]


@given(
    text=st.sampled_from(TEXTS),
    zone=st.sampled_from(ZONES),
    seconds=st.integers(1_290_000_000, 1_830_000_000),
    permille=st.integers(0, 999),
)
def test_the_same_tick_follows_whenever_a_leader_asks(text: str, zone: str, seconds: int, permille: int) -> None:
    expression = parse_expression(text, "cron", zone=zone)
    moment = datetime.fromtimestamp(seconds, tz=UTC)

    due = expression.next_after(moment)

    assert due > moment
    assert expression.next_after(moment + (due - moment) * permille // 1000) == due


@given(
    zone=st.sampled_from(ZONES),
    transition=st.sampled_from([1_772_953_200, 1_793_512_800, 1_775_314_800, 1_774_735_200]),
)
def test_elapsed_time_is_due_at_every_instant_whose_wall_clock_matches(zone: str, transition: int) -> None:
    expression = parse_expression("*/10 * * * *", "cron", zone=zone)
    start = datetime.fromtimestamp(transition - 7200, tz=UTC)
    minutes = (start + timedelta(minutes=minute) for minute in range(1, 240))
    expected = [moment for moment in minutes if moment.astimezone(ZoneInfo(zone)).minute % 10 == 0]

    due, moment = [], start
    for _ in expected:
        moment = expression.next_after(moment)
        due.append(moment)

    assert due == expected
