"""Bodies of requests: strict, and with arguments that stay as they were written."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun_admin.body import parse
from riverrun_admin.models import EnqueueManyBody, PauseBody
from riverrun_admin.problems import Problem
from riverrun_admin.rules import validated

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


MANY_NAMES = 100_000
SOON_SECONDS = 5.0
"""Far more than it takes; looking at every name once for each name takes minutes."""


def test_a_name_that_stands_twice_is_found_soon_among_very_many() -> None:
    body = ("{" + "".join(f'"{number:x}":0,' for number in range(MANY_NAMES)) + '"x":0,"x":0}').encode()
    began = time.process_time()

    with pytest.raises(Problem, match="the name 'x' stands twice"):
        parse(body)

    assert time.process_time() - began < SOON_SECONDS


def test_very_many_unknown_names_are_left_out_soon() -> None:
    unknown = {f"{number:x}": 0 for number in range(MANY_NAMES)}
    began = time.process_time()

    body = validated(PauseBody, {"queue": "mail", **unknown}, lenient=True)

    assert body.queue == "mail"
    assert time.process_time() - began < SOON_SECONDS


def test_names_that_are_not_known_are_left_out_wherever_they_stand() -> None:
    jobs = [
        {"task_type": "email", "old": 1, "unique": {"by_args": True, "older": 2, "oldest": 3}},
        {"task_type": "other"},
    ]

    body = validated(EnqueueManyBody, {"jobs": jobs, "more": 4}, lenient=True)

    first, second = body.jobs
    assert first.unique is not None
    assert (first.task_type, first.unique.by_args, second.task_type) == ("email", True, "other")


def test_of_very_many_errors_the_first_hundred_are_told() -> None:
    unknown = {f"{number:x}": 0 for number in range(MANY_NAMES)}

    with pytest.raises(Problem) as refused:
        validated(PauseBody, {"queue": "mail", **unknown})

    assert len(refused.value.errors) == 100
    assert refused.value.errors[0].pointer == "/0"
    assert refused.value.detail == f"{MANY_NAMES} fields are not allowed; errors has the first 100"
