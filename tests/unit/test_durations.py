"""Lengths of time as people write them."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun.durations import LONGEST, format_duration, parse_duration, parse_optional_duration
from riverrun.errors import InvalidInput


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1h", 3600),
        ("90s", 90),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("7d", 604_800),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        ("1m1m", 120),
        ("10us", 0.00001),
        ("10µs", 0.00001),
        ("10μs", 0.00001),
        ("1999ns", 0.000001),
        ("90", 90),
        ("0.5", 0.5),
        (" 5s ", 5),
        ("0", 0),
        ("0s", 0),
        (90, 90),
        (0, 0),
        (0.25, 0.25),
        (timedelta(seconds=3), 3),
    ],
)
def test_a_duration_means_what_go_says_with_days_beside(value: object, seconds: float) -> None:
    assert parse_duration(value, "timeout") == timedelta(seconds=seconds)
    assert parse_optional_duration(value, "timeout") == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "format"),
        (".", "format"),
        ("s", "format"),
        ("1 h", "format"),
        ("1h 30m", "format"),
        ("1H", "format"),
        ("1w", "format"),
        ("-5s", "format"),
        ("+5s", "format"),
        ("1e3", "format"),
        ("٣s", "format"),
        ("1h30", "format"),
        ("inf", "format"),
        ("9" * 65, "length"),
        ("9" * 60 + "d", "range"),
        ("107000d", "range"),
        (-1.5, "range"),
        (math.nan, "range"),
        (math.inf, "range"),
        pytest.param(10**400, "range", id="huge"),
        (timedelta(seconds=-1), "range"),
        (timedelta.max, "range"),
        (True, "type"),
        (None, "type"),
        ([1], "type"),
    ],
)
def test_what_is_no_duration_is_refused_with_examples(value: object, code: str) -> None:
    for parse in (parse_duration, parse_optional_duration):
        with pytest.raises(InvalidInput, match=r"timeout: .*250ms, 90s, 1h30m or 7d") as refused:
            parse(value, "timeout")
        assert refused.value.code == code


@pytest.mark.parametrize("value", [-1, "-1", -1.0])
def test_minus_one_means_none_only_where_none_is_allowed(value: object) -> None:
    assert parse_optional_duration(value, "timeout") is None
    with pytest.raises(InvalidInput):
        parse_duration(value, "timeout")


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=1, minutes=30), "1h30m"),
        (timedelta(days=7), "7d"),
        (timedelta(milliseconds=250), "250ms"),
        (timedelta(days=1, seconds=1, microseconds=1), "1d1s1us"),
        (timedelta(0), "0s"),
        (None, "-1"),
    ],
)
def test_a_duration_is_printed_as_it_would_be_written(duration: timedelta | None, text: str) -> None:
    assert format_duration(duration) == text


@given(st.timedeltas(min_value=timedelta(0), max_value=LONGEST))
def test_what_is_printed_reads_back_as_the_same(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration), "timeout") == duration


@given(st.text(alphabet="0123456789.dhmsuµn -+e", max_size=70))
def test_any_text_is_a_duration_in_range_or_refused(text: str) -> None:
    try:
        duration = parse_duration(text, "timeout")
    except InvalidInput:
        return

    assert timedelta(0) <= duration <= LONGEST
