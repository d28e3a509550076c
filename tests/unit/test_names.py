"""What may be the name or the number of something, and what may not."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun import names
from riverrun.errors import InvalidInput

Check = Callable[[object, str], object]

ACCEPTED: list[tuple[Check, object]] = [
    (names.check_queue, "default"),
    (names.check_queue, "0"),
    (names.check_queue, "a-b_c|d9"),
    (names.check_queue, "a" * 64),
    (names.check_kind, "ab"),
    (names.check_kind, "_Send[Mail]<v2>/a.b·c:d+e-f"),
    (names.check_kind, "k" * 127),
    (names.check_tag, "a-b"),
    (names.check_tag, "T_9"),
    (names.check_tag, "t" * 255),
    (names.check_server_id, "-"),
    (names.check_server_id, "Host.example-1_a"),
    (names.check_server_id, "s" * 64),
    (names.check_schedule_name, "nightly-report"),
    (names.check_priority, 1),
    (names.check_priority, 9),
    (names.check_max_attempts, 1),
    (names.check_max_attempts, 32_767),
    (names.check_job_id, 1),
    (names.check_job_id, 2**63 - 1),
]

REFUSED: list[tuple[Check, object, str]] = [
    (names.check_queue, "", "length"),
    (names.check_queue, "a" * 65, "length"),
    (names.check_queue, "Default", "format"),
    (names.check_queue, "a--b", "format"),
    (names.check_queue, "a_", "format"),
    (names.check_queue, "-a", "format"),
    (names.check_queue, "*", "format"),
    (names.check_queue, "a\n", "format"),
    (names.check_queue, "é", "format"),
    (names.check_queue, "a\x00", "format"),
    (names.check_queue, None, "type"),
    (names.check_queue, b"default", "type"),
    (names.check_kind, "a", "format"),
    (names.check_kind, "-a", "format"),
    (names.check_kind, "a b", "format"),
    (names.check_kind, "éa", "format"),
    (names.check_kind, "ab\n", "format"),
    (names.check_kind, "k" * 128, "length"),
    (names.check_tag, "ab", "format"),
    (names.check_tag, "a,b", "format"),
    (names.check_tag, "-ab", "format"),
    (names.check_tag, "ab-", "format"),
    (names.check_tag, "t" * 256, "length"),
    (names.check_tags, "abc", "type"),
    (names.check_tags, None, "type"),
    (names.check_tags, {"abc"}, "type"),
    (names.check_server_id, "", "length"),
    (names.check_server_id, "a/b", "format"),
    (names.check_server_id, "s" * 65, "length"),
    (names.check_priority, 0, "range"),
    (names.check_priority, 10, "range"),
    (names.check_priority, True, "type"),
    (names.check_priority, 1.0, "type"),
    (names.check_priority, "1", "type"),
    (names.check_max_attempts, 0, "range"),
    (names.check_max_attempts, 32_768, "range"),
    (names.check_job_id, 0, "range"),
    (names.check_job_id, -1, "range"),
    (names.check_job_id, 2**63, "range"),
    (names.check_job_id, "9" * 19 + "9", "type"),
    (names.check_job_id, "9223372036854775808", "range"),
    (names.check_job_id, "1 ", "type"),
    (names.check_job_id, "١", "type"),
    (names.check_job_id, 1.5, "type"),
    (names.check_job_id, 10**5000, "range"),
]


@pytest.mark.parametrize(("check", "value"), ACCEPTED, ids=range(len(ACCEPTED)))
def test_a_name_within_the_rule_is_returned_as_it_is(check: Check, value: object) -> None:
    assert check(value, "field") == value


@pytest.mark.parametrize(("check", "value", "code"), REFUSED, ids=range(len(REFUSED)))
def test_a_value_outside_the_rule_is_refused_with_its_field_and_reason(check: Check, value: object, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(value, "jobs.3.x")

    assert refused.value.code == code
    assert refused.value.field == "jobs.3.x"
    assert str(refused.value).startswith("jobs.3.x: ")


def test_a_job_id_written_as_digits_is_taken() -> None:
    assert names.check_job_id("9223372036854775807", "job_id") == 2**63 - 1


def test_tags_keep_their_order_and_a_bad_one_is_named_by_its_position() -> None:
    assert names.check_tags(["one", "two"], "tags") == ("one", "two")

    with pytest.raises(InvalidInput) as refused:
        names.check_tags(["one", "tw o"], "tags")
    assert refused.value.field == "tags.1"


@given(st.text(alphabet="ab0_-|A\n", max_size=12))
def test_a_queue_name_is_accepted_exactly_where_rivers_own_pattern_accepts_it(text: str) -> None:
    rivers = re.fullmatch(r"(?:[a-z0-9])+(?:[_|\-]?[a-z0-9]+)*", text) is not None

    try:
        ours = names.check_queue(text, "queue") == text
    except InvalidInput:
        ours = False

    assert ours == rivers


@pytest.mark.parametrize("check", [names.check_queue, names.check_kind, names.check_tag, names.check_server_id])
@pytest.mark.parametrize("text", ["a" * 63 + "!", "a" * 126 + "!", "a-" * 127, "a" * 10_000_000 + "!"])
def test_no_name_takes_long_to_be_refused(check: Check, text: str) -> None:
    started = time.process_time()

    with pytest.raises(InvalidInput):
        check(text, "queue")

    assert time.process_time() - started < 0.5
