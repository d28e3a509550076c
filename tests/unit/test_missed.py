"""Which ticks are enqueued, by policy and lateness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from riverrun.cron_grammar import parse_expression
from riverrun_scheduler.missed import ticks_to_enqueue

NOW = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def ticks(text: str, since: timedelta, missed: str) -> list[datetime]:
    return ticks_to_enqueue(parse_expression(text, "cron"), since=NOW - since, now=NOW, missed=missed)


@pytest.mark.parametrize("missed", ["latest", "skip", "all"])
def test_every_tick_of_the_last_15_seconds_is_on_time_whatever_the_policy(missed: str) -> None:
    assert ticks("@every 5s", 15 * SECOND, missed) == [NOW - 10 * SECOND, NOW - 5 * SECOND, NOW]


def test_latest_enqueues_only_the_newest_of_the_missed() -> None:
    assert ticks("*/10 * * * *", 55 * MINUTE, "latest") == [NOW - 30 * SECOND]


def test_latest_leaves_the_missed_when_a_later_tick_is_on_time() -> None:
    assert ticks("@every 10s", 10 * MINUTE, "latest") == [NOW - 10 * SECOND, NOW]


def test_latest_looks_back_no_further_than_an_hour() -> None:
    assert ticks("0 10 * * *", 5 * HOUR, "latest") == []


def test_skip_leaves_out_everything_that_was_missed() -> None:
    assert ticks("*/10 * * * *", 55 * MINUTE, "skip") == []


def test_all_enqueues_what_was_missed_in_order() -> None:
    expected = [datetime(2026, 3, 2, 11, minute, tzinfo=UTC) for minute in (10, 20, 30, 40, 50)]

    assert ticks("*/10 * * * *", 55 * MINUTE, "all") == [*expected, NOW - 30 * SECOND]


def test_all_stops_at_the_newest_hundred_even_after_years() -> None:
    found = ticks("* * * * *", timedelta(days=3 * 365), "all")

    assert len(found) == 100
    assert found[-1] == NOW - 30 * SECOND
    assert found[0] == found[-1] - 99 * MINUTE


def test_all_finds_rare_ticks_far_back() -> None:
    assert ticks("0 0 1 1 *", timedelta(days=700), "all") == [
        datetime(2025, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
    ]


def test_a_tick_is_never_given_twice() -> None:
    assert ticks("@every 5s", timedelta(), "all") == []
