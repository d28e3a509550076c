"""One row of River's table as data."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun.job import FINALIZED, LIVE, AttemptError, Job, JobState, decode_json

AT = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)


def job(args_text: str = "{}", *, errors: tuple[AttemptError, ...] = ()) -> Job:
    return Job(
        id=1,
        kind="email",
        queue="default",
        state=JobState.RUNNING,
        args_text=args_text,
        attempt=1,
        max_attempts=25,
        priority=1,
        created_at=AT,
        scheduled_at=AT,
        errors=errors,
    )


def test_the_states_stand_in_the_order_of_rivers_enum() -> None:
    assert [str(state) for state in JobState] == sorted(str(state) for state in JobState)
    assert {state.value for state in FINALIZED} == {"cancelled", "completed", "discarded"}
    assert set(JobState) == FINALIZED | LIVE
    assert not FINALIZED & LIVE


def test_a_job_cannot_be_changed_and_does_not_show_its_arguments() -> None:
    secret = job('{"password": "hunter2"}')

    assert "hunter2" not in repr(secret)
    with pytest.raises(dataclasses.FrozenInstanceError):
        secret.attempt = 2  # type: ignore[misc]  # that it cannot be assigned is what this test is about


def test_the_arguments_are_decoded_anew_each_time() -> None:
    mine = job('{"list": [1]}')

    mine.args["list"].append(2)

    assert mine.args == {"list": [1]}


def test_a_job_counts_its_errors() -> None:
    assert job(errors=(AttemptError(AT, 1, "a"), AttemptError(AT, 2, "b"))).error_count == 2


@pytest.mark.parametrize(
    "number", [0, -1, 2**53 + 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 123456789012345678901234567890, 10**3999]
)
def test_an_integer_of_any_size_keeps_its_digits(number: int) -> None:
    value = job(f'{{"n": [{number}]}}').args["n"][0]

    assert value == number
    assert type(value) is int


def test_an_integer_that_python_refuses_to_read_comes_as_a_decimal() -> None:
    assert decode_json("1" + "0" * 131_071) == Decimal(10) ** 131_071


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000 + "]" * 100_000, "NULL"])
def test_what_cannot_be_decoded_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the whole promise
        decode_json(text)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_json)
def test_decoding_is_the_same_whichever_decoder_does_it(value: object) -> None:
    text = json.dumps(value)

    assert decode_json(text) == decode_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (AT, "2026-01-02T03:04:05.6789Z"),
        (AT.replace(microsecond=0), "2026-01-02T03:04:05Z"),
        (AT.replace(second=10, microsecond=0), "2026-01-02T03:04:10Z"),
        (AT.replace(microsecond=1), "2026-01-02T03:04:05.000001Z"),
        (AT.astimezone(timezone(timedelta(hours=2))), "2026-01-02T03:04:05.6789Z"),
    ],
)
def test_an_error_is_written_with_rivers_four_keys_in_order(at: datetime, written: str) -> None:
    text = AttemptError(at, 3, 'no "é"', "").to_json()

    assert text == f'{{"at":"{written}","attempt":3,"error":"no \\"é\\"","trace":""}}'
    assert AttemptError.from_json(text) == AttemptError(at, 3, 'no "é"', "")


def test_an_error_without_a_time_is_not_written() -> None:
    for at in (None, AT.replace(tzinfo=None)):
        with pytest.raises(ValueError, match="zone"):
            AttemptError(at, 1, "x").to_json()


@pytest.mark.parametrize(
    ("element", "error"),
    [
        ({"at": "2026-01-02T03:04:05.678912345+01:00"}, AttemptError(AT.replace(hour=2, microsecond=678_912), 0, "")),
        ({"at": "yesterday", "attempt": "1", "error": None, "trace": 5}, AttemptError(None, 1, "", "5")),
        ({"attempt": True, "error": {"why": "ä"}, "trace": ["a"]}, AttemptError(None, 0, '{"why":"ä"}', '["a"]')),
        ({"at": "2026-01-02T03:04:05", "attempt": 2, "error": "e", "more": 1}, AttemptError(None, 2, "e")),
        ('"text"', AttemptError(None, 0, "text")),
        ("not json", AttemptError(None, 0, "not json")),
        ([1, "a"], AttemptError(None, 0, '[1,"a"]')),
        (None, AttemptError(None, 0, "null")),
    ],
)
def test_an_element_of_another_client_is_read_as_far_as_it_goes(element: object, error: AttemptError) -> None:
    assert AttemptError.from_json(element) == error
