"""River's unique keys, held against the values its own conformance cases publish."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun.errors import InvalidInput
from riverrun.unique import Unique, unique_from, unique_key, unique_states_mask

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)
LATER = datetime(2026, 1, 2, 5, 21, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def key_of(
    unique: Unique, args: str = "{}", *, kind: str = "conformance_simple", queue: str = "default", at: datetime = NOW
) -> str:
    key = unique_key(unique, kind=kind, args_text=args, queue=queue, scheduled_at=at)
    assert key is not None
    assert len(key) == 32
    return key.hex()


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


GOLDEN = [
    (
        key_of(Unique(by_args=True), kind="conformance_all_args"),
        "&kind=conformance_all_args&args={}",
        "fe05a58ddb79a8d4544da962582d9a290d59788c920afd3597da3a62e3c1b0ac",
    ),
    (
        key_of(Unique(by_args=True), '{"nested": {"z": 1, "a": 2}}', kind="conformance_all_args"),
        '&kind=conformance_all_args&args={"nested":{"z":1,"a":2}}',
        "46ff499cb031d0458bb00ef87e7b83321eefb6e7534497c279c4ae0f474cdde0",
    ),
    (
        key_of(Unique(by_args=["label", "user.id"]), '{"other": 1}', kind="conformance_selected_args"),
        "&kind=conformance_selected_args&args=",
        "23aa86692d9807ab10e433e378f1c0804573f5e345818461b919322dd381b4c3",
    ),
    (
        key_of(Unique(by_args=["label"]), '{"label": null, "x": 1}', kind="conformance_selected_args"),
        '&kind=conformance_selected_args&args={"label":null}',
        "d137d7c4f1e3f8369037b1890357655b4fa1978a329bcf51435f9f0b54abcab7",
    ),
    (
        key_of(Unique(by_period=HOUR)),
        "&kind=conformance_simple&period=2026-01-02T03:00:00Z",
        "5396f06a082abd7a929915135ebd363a9a47d800176b03ce7736f93a5ba9e22e",
    ),
    (
        key_of(Unique(by_period=1.5 * HOUR)),
        "&kind=conformance_simple&period=2026-01-02T03:00:00Z",
        "5396f06a082abd7a929915135ebd363a9a47d800176b03ce7736f93a5ba9e22e",
    ),
    (
        key_of(Unique(by_period=HOUR), at=LATER),
        "&kind=conformance_simple&period=2026-01-02T05:00:00Z",
        "b7f3c49952996b760b8b3ff6cf48f426e03a6ef0f004fb6faa51725365cf309a",
    ),
    (
        key_of(Unique(by_queue=True, exclude_kind=True), queue="priority_emails"),
        "&queue=priority_emails",
        "d20ce47da8e8015e68b020bbca2b17494139519ae05f8985e5992db4d8dd8a09",
    ),
    (
        key_of(
            Unique(by_args=True, by_queue=True, by_period=timedelta(minutes=1)),
            '{"id": 42}',
            queue="priority_emails",
            at=LATER,
        ),
        '&kind=conformance_simple&args={"id":42}&period=2026-01-02T05:21:00Z&queue=priority_emails',
        "6f20262e7b1fa9beaf98255f23030800376636484a98b20c2c04a303bab5a8d5",
    ),
]


@pytest.mark.parametrize(("key", "text", "published"), GOLDEN)
def test_a_key_is_the_one_river_publishes(key: str, text: str, published: str) -> None:
    assert hash_of(text) == published
    assert key == published


@pytest.mark.parametrize(
    ("args", "hashed"),
    [
        ('{"b":1,"a":2}', '{"a":2,"b":1}'),
        ('{"é":1,"z":2,"Z":3,"a<":4}', '{"Z":3,"a<":4,"z":2,"é":1}'),
        ('{"a":1,"a":2}', '{"a":1}'),
        ('{"a":1.0,"b":1e-7,"c":12345678901234567890123}', '{"a":1,"b":1e-7,"c":12345678901234567890123}'),
        ('{"a":"<\\u00e9>"}', '{"a":"\\u003cé\\u003e"}'),
    ],
)
def test_all_arguments_are_hashed_with_only_their_top_names_sorted(args: str, hashed: str) -> None:
    assert key_of(Unique(by_args=True), args, kind="k1") == hash_of(f"&kind=k1&args={hashed}")


@pytest.mark.parametrize(
    ("paths", "hashed"),
    [
        (["b", "a"], '{"a":{"y":1,"x":{"deep":[1]}},"b":2}'),
        (["a.y", "a.x.deep", "b"], '{"a":{"x":{"deep":[1]},"y":1},"b":2}'),
        (["a", "a.y"], '{"a":{"y":1,"x":{"deep":[1]}}}'),
        (["a.none", "b.none", "none.at.all", "b"], '{"b":2}'),
        (["a.x.deep.0"], ""),
    ],
)
def test_selected_arguments_are_rebuilt_in_the_order_of_their_paths(paths: list[str], hashed: str) -> None:
    args = '{"b":2,"a":{"y":1,"x":{"deep":[1]}}}'

    assert key_of(Unique(by_args=paths), args, kind="k1") == hash_of(f"&kind=k1&args={hashed}")


def test_a_period_of_a_week_begins_on_monday_whatever_the_zone_of_the_time() -> None:
    sunday_evening = datetime(2026, 1, 4, 20, 0, tzinfo=timezone(timedelta(hours=-6)))

    assert key_of(Unique(by_period=7 * 24 * HOUR), at=sunday_evening) == hash_of(
        "&kind=conformance_simple&period=2026-01-05T00:00:00Z"
    )


def test_a_period_with_a_fraction_is_written_in_whole_seconds() -> None:
    at = datetime(1, 1, 1, 0, 0, 2, tzinfo=UTC)

    assert key_of(Unique(by_period=timedelta(seconds=1.5)), at=at) == hash_of(
        "&kind=conformance_simple&period=0001-01-01T00:00:01Z"
    )


def test_nothing_asked_for_is_neither_key_nor_mask() -> None:
    assert unique_key(Unique(), kind="k1", args_text="{}", queue="q", scheduled_at=NOW) is None
    assert unique_states_mask(Unique()) is None


@pytest.mark.parametrize(
    ("states", "mask"),
    [
        (None, "11110101"),
        (["available", "pending", "running", "scheduled"], "11010001"),
        (["available", "pending", "running", "scheduled", "retryable", "completed", "cancelled", "discarded"], "1" * 8),
    ],
)
def test_the_mask_has_a_bit_for_each_state_that_holds_the_key(states: list[str] | None, mask: str) -> None:
    unique = Unique(by_queue=True, by_state=states)

    assert unique_states_mask(unique) == mask
    assert key_of(unique) == key_of(Unique(by_queue=True))


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"by_args": "id"}, "unique.by_args"),
    ({"by_args": []}, "unique.by_args"),
    ({"by_args": None}, "unique.by_args"),
    ({"by_args": ["a", ""]}, "unique.by_args.1"),
    ({"by_args": ["a..b"]}, "unique.by_args.0"),
    ({"by_args": [1]}, "unique.by_args.0"),
    ({"by_period": timedelta(milliseconds=999)}, "unique.by_period"),
    ({"by_period": timedelta.max}, "unique.by_period"),
    ({"by_period": 60}, "unique.by_period"),
    ({"by_queue": 1}, "unique.by_queue"),
    ({"by_state": "available"}, "unique.by_state"),
    ({"by_state": ["available"]}, "unique.by_state"),
    ({"by_state": []}, "unique.by_state"),
    ({"by_state": ["available", "paused"]}, "unique.by_state.1"),
    ({"exclude_kind": True}, "unique.exclude_kind"),
    ({"exclude_kind": None}, "unique.exclude_kind"),
]


@pytest.mark.parametrize(("fields", "field"), REFUSED)
def test_options_that_river_would_refuse_are_refused(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Unique(**fields)  # type: ignore[arg-type]  # wrong values are what this test is about

    assert refused.value.field == field


@pytest.mark.parametrize(
    "unique",
    [
        Unique(),
        Unique(by_args=True, by_state=["available", "pending", "running", "scheduled"]),
        Unique(by_args=["user.id", "label"], by_period=timedelta(days=7), by_queue=True, exclude_kind=True),
        Unique(by_period=timedelta(seconds=90, microseconds=1)),
    ],
)
def test_what_is_asked_for_can_be_kept_and_read_back(unique: Unique) -> None:
    assert unique_from(json.loads(json.dumps(unique.document()))) == unique


@pytest.mark.parametrize("args", ["[]", "1", "{", ""])
def test_arguments_that_are_no_object_have_no_key(args: str) -> None:
    with pytest.raises(InvalidInput):
        key_of(Unique(by_args=True), args)


def test_a_time_without_a_zone_has_no_period() -> None:
    with pytest.raises(InvalidInput):
        key_of(Unique(by_period=HOUR), at=NOW.replace(tzinfo=None))


@given(
    st.timedeltas(min_value=timedelta(days=1), max_value=timedelta(days=3_000_000)),
    st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=4000)),
)
def test_moments_of_one_period_share_their_key_and_the_next_period_has_another(
    age: timedelta, period: timedelta
) -> None:
    whole = timedelta(seconds=int(period.total_seconds()))
    origin = datetime(1, 1, 1, tzinfo=UTC)
    moment = origin + age
    start = origin + (moment - origin) // whole * whole
    unique = Unique(by_period=whole)

    assert key_of(unique, at=moment) == key_of(unique, at=start)
    assert key_of(unique, at=start) != key_of(unique, at=start + whole)
