"""Bodies of requests: strict, and with arguments that stay as they were written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun_admin.body import parse
from riverrun_admin.problems import Problem

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_arguments_written_again_mean_the_same(value: object) -> None:
    body = json.dumps({"task_params": {"value": value}}, ensure_ascii=True)

    parsed = parse(body.encode())

    assert isinstance(parsed, dict)
    text = parsed["task_params"]
    assert isinstance(text, str)
    assert json.loads(text) == {"value": value}


@pytest.mark.parametrize(
    "number", ["1.10", "-0.0", "1E400", "12345678901234567890123", "1e-7", "0.1000000000000000055511"]
)
def test_numbers_of_arguments_stay_as_they_were_written(number: str) -> None:
    parsed = parse(f'{{"task_params": {{"n": {number}}}}}'.encode())

    assert parsed == {"task_params": f'{{"n":{number}}}'}


def test_arguments_given_as_text_are_left_alone() -> None:
    assert parse(b'{"task_params": "{\\"a\\" : 1.0}"}') == {"task_params": '{"a" : 1.0}'}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "nope",
        '{"a":1,}',
        '{"a":1}{}',
        "NaN",
        '{"a":1,"a":1}',
        '{"x":{"b":1,"b":2}}',
        "[" * 69,
        "'a'",
        "\ufeff{}",
    ],
)
def test_what_is_not_json_is_refused(body: str) -> None:
    with pytest.raises(Problem) as refused:
        parse(body.encode())

    assert (refused.value.status, refused.value.code) == (400, "invalid-json")
