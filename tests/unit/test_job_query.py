"""One line that says which jobs: what each term means, what is refused, and that no line is expensive."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from riverrun.errors import InvalidInput
from riverrun.job import JobState
from riverrun.job_query import LONGEST, failed_alike, merged, parse, term, without
from riverrun.store.listing import JobFilter

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", JobFilter()),
        ("  ", JobFilter()),
        ("state:discarded", JobFilter(states=(JobState.DISCARDED,))),
        ("state:discarded,retryable", JobFilter(states=(JobState.DISCARDED, JobState.RETRYABLE))),
        ("queue:a queue:b queue:a", JobFilter(queues=("a", "b"))),
        ("kind:email tag:vip", JobFilter(kinds=("email",), tags=("vip",))),
        ("priority:1,9", JobFilter(priorities=(1, 9))),
        ("id:5 7", JobFilter(ids=(5, 7))),
        ("email", JobFilter(kinds=("email",))),
        ('error:"timed out"', JobFilter(error="timed out")),
        ("error:timeout", JobFilter(error="timeout")),
        ("created:>-1h", JobFilter(created_after=NOW - timedelta(hours=1))),
        ("created:>-90m created:<-1h", JobFilter(created_after=NOW - timedelta(minutes=90),
                                                created_before=NOW - timedelta(hours=1))),
        ("finalized:<2030-01-30", JobFilter(finalized_before=datetime(2030, 1, 30, tzinfo=UTC))),
        ("scheduled:>2030-01-30T08:00:00Z", JobFilter(scheduled_after=datetime(2030, 1, 30, 8, tzinfo=UTC))),
        ("args.user.id:7", JobFilter(args='{"user": {"id": 7}}')),
        ('args.user.id:"7"', JobFilter(args='{"user": {"id": "7"}}')),
        ("args.to:a@example.com args.ok:true", JobFilter(args='{"to": "a@example.com", "ok": true}')),
        ('meta.tenant:"acme inc"', JobFilter(metadata='{"tenant": "acme inc"}')),
        ("args.Big:12345678901234567890123", JobFilter(args='{"Big": 12345678901234567890123}')),
        ("STATE:running", JobFilter(states=(JobState.RUNNING,))),
        ('queue:"A b"', JobFilter(queues=("A b",))),
        ('kind:"a,b",cd,"x:\\"y\\""', JobFilter(kinds=("a,b", "cd", 'x:"y"'))),
        ('"Send Email"', JobFilter(kinds=("Send Email",))),
        ('tag:"x"', JobFilter(tags=("x",))),
        ('state:"running" priority:"2" id:"5"', JobFilter(states=(JobState.RUNNING,), priorities=(2,), ids=(5,))),
        ('error:"two\nlines"', JobFilter(error="two\nlines")),
        ('error:"\\u0000" args.x:"\\ud800"', JobFilter(error='"\\u0000"', args='{"x": "\\"\\\\ud800\\""}')),
    ],
)  # fmt: skip
def test_a_line_means(text: str, meaning: JobFilter) -> None:
    assert parse(text, now=NOW) == meaning


@pytest.mark.parametrize(
    "text",
    [
        "queue:A_b c!", 'kind:"' + "k" * 256 + '"', 'kind:""', 'kind:"a"b"c"', 'kind:"\\u0000"', "kind:ab,",
        "state:nonsense", "colour:red", "priority:0", "priority:x", "id:0", "id:x", "tag:x",
        "fingerprint:0123", "fingerprint:0123456789abcdeg",
        "created:-1h", "created:>yesterday", "created:>2030-13-01", "created:>2030-01-01T00:00:00",
        "created:>-1h created:>-2h",
        "args.:1", "args..x:1", "args.x:1 args.x:2", "args.x:1 args.x.y:2", "args." + ".".join("a" * 11) + ":1",
        '"open',
        "error:a error:b", "kind:a\0b", "x" * 2_001, "id:1 " * 51, "id:" + ",".join(map(str, range(1, 102))),
        "created:>-999999999d",
        "(a+)+$", "queue:*",
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(text, now=NOW)

    assert refused.value.field.startswith("filter")
    assert len(str(refused.value)) < 400


STORABLE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=127)


@given(st.sampled_from(["kind", "queue", "tag"]), st.lists(STORABLE, min_size=1, max_size=4, unique=True))
def test_any_text_that_a_term_is_written_of_is_read_back(name: str, values: list[str]) -> None:
    written = term(name, values)
    assume(len(written) <= LONGEST)

    read = parse(f"state:running {written} id:7")

    assert (read.kinds or read.queues or read.tags) == tuple(values)
    assert (read.states, read.ids) == ((JobState.RUNNING,), (7,))
    assert parse(without(f"state:running {written}", "state")) == parse(written)


def test_a_group_of_failures_is_one_line() -> None:
    line = failed_alike("Send mail", "0123456789abcdef")

    assert line == 'state:discarded,retryable kind:"Send mail" fingerprint:0123456789abcdef'
    assert parse(line) == JobFilter(
        states=(JobState.DISCARDED, JobState.RETRYABLE), kinds=("Send mail",), fingerprints=("0123456789abcdef",)
    )


def test_what_the_rule_of_a_name_allows_is_written_as_it_stands() -> None:
    assert term("kind", ["Send[v2]", "a·b"]) == "kind:Send[v2],a·b"
    assert term("tag", ["vip", "a,b"]) == 'tag:vip,"a,b"'
    assert term("state", ["running"]) == "state:running"
    assert term("priority", ["1", 2]) == "priority:1,2"


@given(st.text(max_size=2_000))
def test_no_line_is_expensive_or_breaks_the_parser(text: str) -> None:
    started = time.process_time()
    with contextlib.suppress(InvalidInput):
        assert isinstance(parse(text), JobFilter)

    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("text", ['"' * 2_000, '"\\' * 1_000, "a." * 1_000 + ":1", "args." + "a" * 1_990, "[" * 2_000])
def test_lines_made_to_be_slow_are_not(text: str) -> None:
    started = time.process_time()
    with pytest.raises(InvalidInput):
        parse(text)

    assert time.process_time() - started < 1.0


def test_two_filters_are_merged_unless_they_speak_of_the_same() -> None:
    assert merged(parse("state:running"), parse("queue:a")) == parse("state:running queue:a")
    with pytest.raises(InvalidInput):
        merged(parse("queue:a"), parse("queue:b"))


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        ("state:running queue:a", "state", "queue:a"),
        ("  STATE:running  ", "state", ""),
        ('error:"state:x" state:a,b email', "state", 'error:"state:x" email'),
        ("args.tag:1 tag:abc", "tag", "args.tag:1"),
    ],
)
def test_a_line_goes_on_without_what_another_one_says(line: str, name: str, rest: str) -> None:
    assert without(line, name) == rest


@pytest.mark.parametrize("text", ["state:", "state: discarded", "kind:email queue: mail", "args.user:"])
def test_a_term_without_its_value_is_refused_and_not_taken_for_a_kind(text: str) -> None:
    with pytest.raises(InvalidInput, match="nothing is given; expected a value right behind the colon"):
        parse(text)

    assert parse('kind:"state:"').kinds == ("state:",)
