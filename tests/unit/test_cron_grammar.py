"""Which expressions a schedule may have."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun.cron_grammar import check_zone, parse_expression
from riverrun.due_times import Calendar, Every
from riverrun.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("* * * * *", "* * * * *"),
        ("? ? ? ? ?", "* * * * *"),
        ("*/1 */1 ?/1 */1 */1", "* * * * *"),
        ("5 4 3 2 1", "5 4 3 2 1"),
        ("05 04 03 02 01", "5 4 3 2 1"),
        (" 0\t0  1 1 0 ", "0 0 1 1 0"),
        ("0,30,10-12 0 1 1 0", "0,10,11,12,30 0 1 1 0"),
        ("*/20 0 1 1 0", "0,20,40 0 1 1 0"),
        ("50/4 0 1 1 0", "50,54,58 0 1 1 0"),
        ("1-9/4 0 1 1 0", "1,5,9 0 1 1 0"),
        ("1-9/100 0 1 1 0", "1 0 1 1 0"),
        ("0 0 ? JAN-mar,Dec sun,MON-Wed", "0 0 * 1,2,3,12 0,1,2,3"),
        ("0 0 * * fri/1", "0 0 * * 5,6"),
        ("0 0 */2 * 1", "0 0 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31 * 1"),
        ("0 0 *,5 * 0-6", "0 0 * * 0,1,2,3,4,5,6"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ],
)
def test_five_fields_become_plain_lists(text: str, fields: str) -> None:
    expression = parse_expression(text, "cron")

    assert isinstance(expression, Calendar)
    assert expression.fields == fields
    assert expression.zone == ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("CRON_TZ=Europe/Berlin 0 6 * * *", "Europe/Berlin"),
        ("TZ=America/New_York @daily", "America/New_York"),
        ("0 6 * * *", "Asia/Shanghai"),
    ],
)
def test_a_zone_in_front_wins_over_the_one_of_the_schedule(text: str, zone: str) -> None:
    expression = parse_expression(text, "cron", zone="Asia/Shanghai")

    assert isinstance(expression, Calendar)
    assert expression.zone == ZoneInfo(zone)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("@every 1s", 1),
        ("@every 1h30m", 5400),
        ("@every 1.9s", 1),
        ("@every 90500ms", 90),
        ("TZ=UTC @every 7d", 604_800),
    ],
)
def test_every_takes_whole_seconds(text: str, seconds: int) -> None:
    assert parse_expression(text, "cron") == Every(timedelta(seconds=seconds))


REFUSED: list[object] = [
    "",
    "* * * *",
    "* * * * * *",
    "0 0 0 * * *",
    "@reboot",
    "@Daily",
    "@every",
    "@every ",
    "@every 60",
    "@every -1h",
    "@every 1h 30m",
    "@every 1000000d",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * 32 * *",
    "* * * 0 *",
    "* * * 13 *",
    "* * * * 7",
    "* * * * 0-7",
    "* * * * sun-sat-mon",
    "* * * * sat-sun",
    "-1 * * * *",
    "+1 * * * *",
    "1- * * * *",
    "1,,2 * * * *",
    ", * * * *",
    "*/0 * * * *",
    "1/0 * * * *",
    "*/-1 * * * *",
    "*/x * * * *",
    "*-5 * * * *",
    "** * * * *",
    "1--100000000 * * * *",
    "0-100000000 * * * *",
    "*/99999999999 * * * *",
    "5-1 * * * *",
    "jan * * * *",
    "* * * mon *",
    "* * * january *",
    "* * L * *",
    "* * LW * *",
    "* * * * 5L",
    "* * * * 1#2",
    "١ * * * *",
    "* * 30 2 *",
    "0 0 31 4,6,9,11 ?",
    "0 0 30-31 feb *",
    "TZ=UTC",
    "TZ=Nowhere/City * * * * *",
    "CRON_TZ= * * * * *",
    "CRON_TZ=../../etc/passwd * * * * *",
    "CRON_TZ=/etc/localtime * * * * *",
    "CRON_TZ=Europe * * * * *",
    "CRON_TZ=U\x00TC * * * * *",
    "* " * 1_000_000,
    "1," * 400 + "1 * * * * *",
    None,
    5,
    b"* * * * *",
]


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_river_would_not_read_or_never_run_is_refused_at_once(text: object) -> None:
    started = time.process_time()

    with pytest.raises(InvalidInput) as refused:
        parse_expression(text, "schedules.3.cron")

    assert refused.value.field == "schedules.3.cron"
    assert time.process_time() - started < 0.5


def test_thirty_february_is_due_when_a_weekday_may_match_instead() -> None:
    expression = parse_expression("0 0 30 2 1", "cron")

    assert expression.next_after(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 2, 2, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["", "Mars", "Europe", "../x", 5, None])
def test_an_unknown_zone_is_refused(zone: object) -> None:
    with pytest.raises(InvalidInput):
        check_zone(zone, "zone")


@given(st.text(alphabet="0123456789*?/-, @", max_size=24))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        expression = parse_expression(text, "cron")
    except InvalidInput:
        return

    assert expression.next_after(datetime(2026, 1, 1, tzinfo=UTC)) > datetime(2026, 1, 1, tzinfo=UTC)
