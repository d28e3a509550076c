"""What a handler can ask and say about its attempt."""

from __future__ import annotations

import json
import logging
import math
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from riverrun import Cancel, Retry, Snooze
from riverrun.durations import LONGEST
from riverrun.errors import InvalidInput
from riverrun.members import MAX_OUTPUT_BYTES
from support.attempts import claimed, context_of


def test_a_job_is_shown_as_it_was_claimed() -> None:
    job = claimed({"to": "a"}, metadata={"k": 12345678901234567890123}, errors=1)

    assert (job.id, job.kind, job.queue, job.attempt, job.max_attempts, job.error_count) == (
        7, "email", "default", 2, 25, 1,
    )  # fmt: skip
    assert job.args == {"to": "a"}
    assert job.metadata == {"k": 12345678901234567890123}
    assert job.attempted_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert job.attempted_at - job.scheduled_at == timedelta(seconds=2)
    assert job.wait_seconds == 2.0
    assert job.attempted_at - job.created_at == timedelta(microseconds=5)


def test_the_deadline_follows_from_the_start_and_the_limit() -> None:
    context = context_of(claimed())

    assert context.deadline is None
    context.limit_seconds = 1.5
    assert context.deadline == datetime(2026, 1, 2, 3, 4, 6, 500_000, tzinfo=UTC)
    context.limit_seconds = LONGEST.total_seconds()
    assert str(context.deadline).startswith("2318-")


def test_the_fence_names_the_attempt() -> None:
    assert context_of(claimed()).fence == "7:2:1767323045000000"


def test_notes_are_taken_once_and_kept_for_the_end() -> None:
    context = context_of(claimed())

    assert (context.take_notes(), context.all_notes()) == (None, None)
    context.progress(0.5, "half way")
    context.output({"n": 1})
    taken = context.take_notes()
    context.progress(1)

    assert json.loads(taken or "") == {
        "riverrun:progress": {"fraction": 0.5, "note": "half way"},
        "output": {"n": 1},
    }
    assert json.loads(context.take_notes() or "") == {"riverrun:progress": {"fraction": 1, "note": ""}}
    assert context.take_notes() is None
    assert json.loads(context.all_notes() or "") == {
        "riverrun:progress": {"fraction": 1, "note": ""},
        "output": {"n": 1},
    }


@pytest.mark.parametrize("fraction", [-0.01, 1.01, math.nan, math.inf, "half", None, 1j])
def test_progress_is_a_fraction(fraction: Any) -> None:
    context = context_of(claimed())

    with pytest.raises(InvalidInput, match=r"progress: .* expected a fraction from 0 to 1"):
        context.progress(fraction)

    assert context.take_notes() is None


def test_hostile_notes_become_what_can_be_stored() -> None:
    context = context_of(claimed())

    context.progress(0, "\x00" + "é" * 1000)
    context.output({"nan": math.nan, "half": "\ud800"})

    notes = json.loads(context.all_notes() or "")
    assert len(notes["riverrun:progress"]["note"].encode()) <= 200
    assert notes["output"] == {"nan": "NaN", "half": "\ufffd"}


def test_an_output_beyond_the_limit_is_left_out_with_a_remark() -> None:
    context = context_of(claimed())

    context.output("x" * MAX_OUTPUT_BYTES)

    assert json.loads(context.all_notes() or "") == {"output": {"riverrun:omitted": "larger than 33554432 bytes"}}


@pytest.fixture
def restless() -> Iterator[None]:
    """Let threads change as often as the interpreter can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless")
def test_threads_may_note_while_the_executor_takes_notes() -> None:
    context = context_of(claimed())
    done = threading.Event()

    def note() -> None:
        for step in range(2_000):
            context.progress(step / 2_000)
            context.output(step)
        done.set()

    thread = threading.Thread(target=note)
    thread.start()
    taken: dict[str, Any] = {}
    while not done.is_set():
        taken.update(json.loads(context.take_notes() or "{}"))
    thread.join()
    taken.update(json.loads(context.take_notes() or "{}"))

    assert taken["output"] == 1_999
    assert taken == json.loads(context.all_notes() or "")


def test_a_thread_is_woken_by_a_cancellation() -> None:
    context = context_of(claimed())

    assert not context.cancelled
    assert not context.wait_cancelled(0.001)
    context.cancel()
    assert context.cancelled
    assert context.wait_cancelled(60)


def test_every_log_line_of_a_handler_names_the_job_and_never_its_arguments(caplog: pytest.LogCaptureFixture) -> None:
    context = context_of(claimed({"password": "s3cr3t"}))

    with caplog.at_level(logging.INFO):
        context.log.info("mail_sent", extra={"parts": 2, "job_id": "mine", "server_id": "mine"})
        context.log.warning("mail_odd", extra=None)

    first, second = caplog.records
    for record in (first, second):
        fields = vars(record)
        assert {name: fields[name] for name in ("job_id", "kind", "queue", "attempt", "server_id")} == {
            "job_id": 7, "kind": "email", "queue": "default", "attempt": 2, "server_id": "test-host",
        }  # fmt: skip
        assert "s3cr3t" not in repr(fields)
    assert vars(first)["parts"] == 2
    assert "s3cr3t" not in f"{context.job!r} {context!r}"


@pytest.mark.parametrize(
    ("delay", "kept"),
    [
        (5, timedelta(seconds=5)),
        (0.25, timedelta(seconds=0.25)),
        (timedelta(minutes=1), timedelta(minutes=1)),
        (-1, timedelta()),
        (timedelta(days=-1), timedelta()),
        (math.inf, LONGEST),
        pytest.param(10**400, LONGEST, id="beyond a float"),
        (timedelta.max, LONGEST),
    ],
)
def test_a_handler_names_its_delay_in_seconds_or_as_a_timedelta(delay: float | timedelta, kept: timedelta) -> None:
    assert abs(Snooze(delay).delay - kept) < timedelta(milliseconds=1)
    assert Retry(delay).delay == Snooze(delay).delay


@pytest.mark.parametrize("delay", ["5", math.nan, [], datetime(2026, 1, 1, tzinfo=UTC)])
def test_a_delay_that_is_no_time_is_refused_where_it_is_given(delay: Any) -> None:
    with pytest.raises(InvalidInput, match="expected a number of seconds or a timedelta"):
        Snooze(delay)


def test_reasons_are_text_whatever_was_given() -> None:
    assert Cancel(ValueError("gone")).reason == "gone"  # type: ignore[arg-type]  # what is not typed must work too
    assert Retry(reason=None).reason == "None"  # type: ignore[arg-type]  # the same
