"""Which arguments and metadata may come in."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun.errors import InvalidInput
from riverrun.json_input import check_args, check_args_text, check_metadata
from riverrun.sanitize import MAX_BYTES, MAX_DEPTH


def nested(depth: int) -> str:
    """Return an object with ``depth`` levels, itself included."""
    return '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}" if depth > 1 else "{}"


ACCEPTED = [
    "{}",
    ' {"b" : 1, "a" : 1.00, "a" : -0 } ',
    '{"big":123456789012345678901234567890.10, "e":1e400, "tiny":1e-400}',
    '{"most":1e131071}',
    '{"least":1e-16383}',
    '{"a":"\\\\u0000 \\ud83d\\ude00 \\u00e9 \\/ \x7f"}',
    '{"a":"]]]]{{{{\\"[[[["}',
    nested(MAX_DEPTH),
    '{"a":"' + "x" * (MAX_BYTES - 8) + '"}',
]

REFUSED: list[tuple[object, str]] = [
    ("", "format"),
    ("{", "format"),
    ("not json", "format"),
    ("{'a':1}", "format"),
    ('{"a":NaN}', "format"),
    ('{"a":-Infinity}', "format"),
    ('{"a":01}', "format"),
    ('{"a":"\x1f"}', "format"),
    ('{"a":"\\u0000"}', "format"),
    ('{"\\u0000":1}', "format"),
    ('{"a":["\\ud800"]}', "format"),
    ('{"a":"\\ude00\\ud83d"}', "format"),
    ('{"a":"\ud800"}', "format"),
    (b'{"a":"\xff"}', "format"),
    ("\ufeff{}", "format"),
    ("[]", "type"),
    ("null", "type"),
    ("true", "type"),
    ('"x"', "type"),
    ("1", "type"),
    (None, "type"),
    (17, "type"),
    (nested(MAX_DEPTH + 1), "range"),
    ('{"a":' * 200_000, "range"),
    ('{"a":1e131072}', "range"),
    ('{"a":1e-16384}', "range"),
    ('{"a":1e' + "9" * 5000 + "}", "range"),
    ('{"a":' + "9" * 131_073 + "}", "range"),
    ('{"a":0.' + "1" * 16_384 + "}", "range"),
    ('{"a":[' + ",".join(["1e131071"] * 9) + "]}", "length"),
    ('{"a":"' + "x" * (MAX_BYTES - 7) + '"}', "length"),
    ('{"a":"' + "你" * (MAX_BYTES // 3) + '"}', "length"),
]


@pytest.mark.parametrize("text", ACCEPTED, ids=range(len(ACCEPTED)))
def test_arguments_that_can_be_stored_are_returned_unchanged(text: str) -> None:
    assert check_args_text(text, "args") == text
    assert check_args_text(text.encode(), "args") == text


@pytest.mark.parametrize(("text", "code"), REFUSED, ids=range(len(REFUSED)))
def test_arguments_that_cannot_be_stored_are_refused_with_a_reason(text: object, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_args_text(text, "jobs.3.args")

    assert (refused.value.field, refused.value.code) == ("jobs.3.args", code)


@pytest.mark.parametrize("bad", ['{"secret":"hunter2', '["hunter2"]', '{"a":"hunter2\\u0000"}', '{"hunter2":NaN}'])
def test_a_refusal_does_not_quote_the_arguments(bad: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_args_text(bad, "args")

    assert "hunter2" not in str(refused.value)


HOSTILE = [
    '{"a":' + '"\\' * 500_000,
    '"' + '\\"' * 500_000,
    "[" * 1_000_000,
    '{"a":[' + "1e1," * 250_000,
    '{"a":"' + "\\u0041" * 170_000 + '"}',
    '{"a":' + "9" * 1_000_000 + "}",
    "{" + ",".join(f'"{n}":""' for n in range(100_000)),
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_takes_no_longer_than_its_length_allows(text: str) -> None:
    started = time.process_time()

    with contextlib.suppress(InvalidInput):
        check_args_text(text, "args")

    assert time.process_time() - started < 2.0


@pytest.mark.parametrize("check", [check_args, check_metadata])
def test_a_mapping_is_written_as_compact_text(check: Callable[[object, str], str]) -> None:
    assert check({"é": [1, (2.5, None)], "n": 10**30}, "args") == '{"é":[1,[2.5,null]],"n":1' + "0" * 30 + "}"
    assert check(MappingProxyType({}), "args") == "{}"


def test_arguments_may_be_text_and_metadata_may_not() -> None:
    assert check_args('{"a": 1.0}', "args") == '{"a": 1.0}'
    with pytest.raises(InvalidInput):
        check_metadata('{"a": 1.0}', "metadata")


_endless: dict[str, object] = {}
_endless["a"] = _endless
_deep: object = []
for _ in range(100_000):
    _deep = [_deep]


NOT_JSON = [
    {1: "a"},
    {"a": {None: 1}},
    {"a": [{True: 1}]},
    {"a": float("nan")},
    {"a": {1, 2}},
    {"a": b"x"},
    {"a": object()},
    {"a": "\x00"},
    {"a\ud800": 1},
    {"a": 10**5000},
    {"a": "x" * MAX_BYTES},
    {"a": _deep},
    _endless,
    json.loads(nested(MAX_DEPTH + 1)),
]


@pytest.mark.parametrize("value", NOT_JSON, ids=range(len(NOT_JSON)))
@pytest.mark.parametrize("check", [check_args, check_metadata])
def test_a_mapping_that_is_no_json_object_is_refused(check: Callable[[object, str], str], value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(value, "x")

    assert refused.value.field == "x"


@given(st.text() | st.binary())
def test_any_text_is_returned_unchanged_or_refused(text: str | bytes) -> None:
    try:
        accepted = check_args_text(text, "args")
    except InvalidInput:
        return

    assert accepted == (text if isinstance(text, str) else text.decode())
    assert isinstance(json.loads(accepted), dict)


@pytest.mark.parametrize(
    "args",
    [
        {"a": float("nan")},
        {"a": [float("inf")]},
        {"a": "nul \0"},
        {"a": "\ud800"},
        {1: "a"},
        {"a": {None: 1}},
        {"a": {1, 2}},
        {"a": datetime(2026, 1, 1, tzinfo=UTC)},
        {"a": json.loads("[" * 65 + "]" * 65)},
    ],
    ids=repr,
)
def test_the_fast_look_at_a_mapping_lets_nothing_pass_that_the_strict_one_refuses(args: dict[object, object]) -> None:
    with pytest.raises(InvalidInput):
        check_args(args, "args")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({"n": 1, "f": 1.5, "t": True, "s": "é"}, '{"n":1,"f":1.5,"t":true,"s":"é"}'),
        ({"null": None}, '{"null":null}'),
        ({"big": 10**30}, '{"big":1000000000000000000000000000000}'),
        ({"small": 1e-7}, '{"small":1e-07}'),
        ({"id": UUID(int=1)}, '{"id":"00000000-0000-0000-0000-000000000001"}'),
        ({"id": UUID(int=1), "null": None}, '{"id":"00000000-0000-0000-0000-000000000001","null":null}'),
    ],
)
def test_a_mapping_becomes_the_same_text_whichever_look_it_got(args: dict[str, object], text: str) -> None:
    assert check_args(args, "args") == text
