"""What a handler leaves behind, made storable."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import NoReturn
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun.json_input import check_args_text
from riverrun.sanitize import MAX_DEPTH, clean_json, clean_text


@pytest.mark.parametrize(
    ("text", "limit", "cleaned"),
    [
        ("fine", 10, "fine"),
        ("a\x00b\ud800c", 20, "a\ufffdb\ufffdc"),
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abc…"),
        ("你好吗啊", 11, "你好…"),
        ("你好吗啊", 10, "你好…"),
        ("你好吗", 8, "你…"),
        ("abcdef", 2, "ab"),
        ("abc", 0, ""),
        ("\x00\x00", 3, "…"),
    ],
)
def test_a_text_is_cut_between_two_characters_and_says_so(text: str, limit: int, cleaned: str) -> None:
    assert clean_text(text, limit) == cleaned


_any_text = st.text(alphabet=st.one_of(st.characters(), st.characters(categories=["Cs"]), st.just("\x00")))


@given(text=_any_text, limit=st.integers(0, 40))
def test_every_cleaned_text_can_be_stored_within_its_limit(text: str, limit: int) -> None:
    cleaned = clean_text(text, limit)

    assert "\x00" not in cleaned
    assert len(cleaned.encode()) <= limit
    assert clean_text(cleaned, limit) == cleaned


def test_ordinary_json_stays_what_it_is() -> None:
    value = {"a": [1, 2.5, None, True, "é\n"], "b": {"": 10**40}}

    assert json.loads(clean_json(value)) == value
    assert clean_json(value) == '{"a":[1,2.5,null,true,"é\\n"],"b":{"":' + "1" + "0" * 40 + "}}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([math.nan, math.inf, -math.inf], '["NaN","Infinity","-Infinity"]'),
        ("a\x00\ud800", '"a\ufffd\ufffd"'),
        ({1: "x", None: "y", "\x00": "z"}, '{"1":"x","None":"y","\ufffd":"z"}'),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02 00:00:00+00:00"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Decimal("1.50"), '"1.50"'),
        (b"ab", "\"b'ab'\""),
        (frozenset({1}), '"frozenset({1})"'),
        pytest.param(1 << 20_000, '"an integer of 20001 bits"', id="big"),
        ((1, 2), "[1,2]"),
    ],
)
def test_what_json_does_not_know_is_replaced(value: object, text: str) -> None:
    assert clean_json(value) == text


class _Raising:
    def __repr__(self) -> NoReturn:
        raise RuntimeError("secret")


class _Changing(Mapping[str, int]):
    def __getitem__(self, name: str) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        raise OSError("secret")

    def __len__(self) -> int:
        return 1


def test_a_value_that_raises_when_read_is_replaced_as_a_whole() -> None:
    assert json.loads(clean_json([_Raising()])) == {"riverrun:omitted": "RuntimeError while it was written as JSON"}
    assert json.loads(clean_json({"a": _Changing()})) == {"riverrun:omitted": "OSError while it was written as JSON"}


def test_a_value_larger_than_its_limit_is_replaced_as_a_whole() -> None:
    assert json.loads(clean_json("x" * 101, limit=100)) == {"riverrun:omitted": "larger than 100 bytes"}
    assert json.loads(clean_json([1e300, 1e300], limit=500)) == {"riverrun:omitted": "larger than 500 bytes"}
    assert json.loads(clean_json(["你" * 33], limit=100)) == {"riverrun:omitted": "larger than 100 bytes"}
    assert json.loads(clean_json("x" * 98, limit=100)) == "x" * 98


def test_nesting_without_end_is_cut_at_the_deepest_level() -> None:
    endless: list[object] = []
    endless.append(endless)

    value = json.loads(clean_json(endless))

    for _ in range(MAX_DEPTH - 1):
        (value,) = value
    assert value == ["deeper than 64 levels"]


def test_lists_that_share_their_elements_do_not_fill_the_memory() -> None:
    value: object = "x"
    for _ in range(60):
        value = [value] * 10
    started = time.process_time()

    text = clean_json(value)

    assert json.loads(text) == {"riverrun:omitted": "larger than 1048576 bytes"}
    assert time.process_time() - started < 5.0


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _any_text | st.binary() | st.datetimes() | st.decimals(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_any_text | st.integers(), inner, max_size=4),
    max_leaves=15,
)


@given(value=_values, limit=st.integers(60, 200))
def test_every_cleaned_value_would_be_accepted_at_the_door(value: object, limit: int) -> None:
    text = clean_json({"output": value}, limit=limit)

    assert check_args_text(text, "output") == text
    assert len(text.encode()) <= limit
