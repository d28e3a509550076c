"""What each outcome changes in the row."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun.job import FINALIZED, JobState
from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Interrupted, Outcome, Snoozed
from riverrun.retry import MAX_DELAY, FixedBackoff, RetryPolicy, RiverBackoff
from riverrun.transition import MAX_ERROR_BYTES, MAX_TRACE_BYTES, Finalization, decide, snooze_count

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Facts:
    attempt: int = 1
    max_attempts: int = 3
    error_count: int = 0
    attempted_at: datetime = STARTED
    metadata: Mapping[str, Any] = field(default_factory=dict)


def decided(outcome: Outcome, facts: Facts | None = None, *, backoff: RetryPolicy | None = None) -> Finalization:
    return decide(facts or Facts(), outcome, rng=random.Random(7), backoff=backoff or RiverBackoff())


def error_json(error: str, *, attempt: int = 1, trace: str = "") -> str:
    return f'{{"at":"2026-01-02T03:04:05Z","attempt":{attempt},"error":"{error}","trace":"{trace}"}}'


def test_a_success_changes_nothing_but_the_state() -> None:
    assert decided(Completed()) == Finalization(JobState.COMPLETED, attempt=1)


def test_an_output_is_merged_into_the_metadata() -> None:
    expected = Finalization(JobState.COMPLETED, attempt=1, metadata_patch_json='{"output":[1.0]}')

    assert decided(Completed("[1.0]")) == expected


def test_a_failure_is_retried_after_the_policys_delay() -> None:
    ended = decided(Failed("no", trace="t"), Facts(attempt=2, error_count=1))

    assert ended.state is JobState.RETRYABLE
    assert ended.attempt == 2
    assert ended.error_json == error_json("no", attempt=2, trace="t")
    assert ended.scheduled_in is not None
    assert 14.4 * SECOND <= ended.scheduled_in <= 17.6 * SECOND


@pytest.mark.parametrize(
    ("delay", "state"),
    [
        (0 * SECOND, JobState.AVAILABLE),
        (5 * SECOND, JobState.AVAILABLE),
        (5.000001 * SECOND, JobState.RETRYABLE),
    ],
)
def test_a_retry_within_five_seconds_is_available_at_once(delay: timedelta, state: JobState) -> None:
    asked = decided(Failed("no", retry_in=delay))
    by_policy = decided(Failed("no"), backoff=FixedBackoff(delay))

    assert asked == by_policy == Finalization(state, 1, error_json("no"), delay)


def test_a_negative_delay_is_left_to_the_policy() -> None:
    ended = decided(Failed("no", retry_in=-SECOND), backoff=FixedBackoff(60 * SECOND))

    assert ended.scheduled_in == 60 * SECOND


def test_the_delay_grows_with_the_errors_and_not_with_the_attempts() -> None:
    ended = decided(Failed("no"), Facts(attempt=20, max_attempts=25, error_count=0))

    assert ended.scheduled_in is not None
    assert ended.scheduled_in <= 1.1 * SECOND


@pytest.mark.parametrize("attempt", [3, 4, 32_767])
def test_a_failure_of_the_last_attempt_discards_even_if_a_retry_was_asked_for(attempt: int) -> None:
    ended = decided(Failed("no", retry_in=SECOND), Facts(attempt=attempt))

    assert ended == Finalization(JobState.DISCARDED, attempt, error_json("no", attempt=attempt))


def test_a_handler_can_discard_with_attempts_left() -> None:
    assert decided(Discarded("no")) == Finalization(JobState.DISCARDED, 1, error_json("no"))


def test_a_cancellation_is_an_error_in_rivers_words() -> None:
    ended = decided(Cancelled("job cancelled remotely"))

    assert ended == Finalization(JobState.CANCELLED, 1, error_json("JobCancelError: job cancelled remotely"))


@pytest.mark.parametrize(
    ("delay", "state"),
    [(0 * SECOND, JobState.AVAILABLE), (5 * SECOND, JobState.AVAILABLE), (6 * SECOND, JobState.SCHEDULED)],
)
def test_a_snooze_gives_the_attempt_back_and_is_counted(delay: timedelta, state: JobState) -> None:
    ended = decided(Snoozed(delay), Facts(attempt=2, metadata={"snoozes": 4, "other": 1}))

    assert ended == Finalization(state, 1, scheduled_in=delay, metadata_patch_json='{"snoozes": 5}')


@pytest.mark.parametrize(("delay", "kept"), [(-SECOND, timedelta(0)), (timedelta.max, MAX_DELAY)])
def test_a_snooze_stays_within_the_range_of_dates(delay: timedelta, kept: timedelta) -> None:
    assert decided(Snoozed(delay)).scheduled_in == kept


def test_an_interruption_gives_the_attempt_back_without_an_error() -> None:
    assert decided(Interrupted(), Facts(attempt=2)) == Finalization(JobState.AVAILABLE, 1, scheduled_in=timedelta(0))
    assert decided(Interrupted(), Facts(attempt=0)).attempt == 0


@pytest.mark.parametrize(
    ("old", "count"),
    [
        (3, 3),
        (2.9, 2),
        (-2.9, -2),
        ("7", 7),
        ("-7", -7),
        (True, 1),
        (False, 0),
        (None, 0),
        ("7.5", 0),
        ("seven", 0),
        ("", 0),
        ([3], 0),
        ({"n": 3}, 0),
        (float("inf"), 0),
        (float("nan"), 0),
        ("9" * 5000, 0),
        (10**30, 2**63 - 2),
    ],
)
def test_the_snooze_counter_is_read_leniently(old: object, count: int) -> None:
    assert snooze_count({"snoozes": old}) == count


def test_the_snooze_counter_begins_at_zero() -> None:
    assert snooze_count({}) == 0


_texts = st.text(alphabet=st.one_of(st.characters(), st.characters(categories=["Cs"]), st.just("\x00")))
_delays = st.timedeltas()
_outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.just(Completed()),
    st.builds(Failed, error=_texts, trace=_texts, retry_in=st.none() | _delays),
    st.builds(Discarded, error=_texts, trace=_texts),
    st.builds(Cancelled, error=_texts, trace=_texts),
    st.builds(Snoozed, _delays),
    st.just(Interrupted()),
)
_facts = st.builds(
    Facts,
    attempt=st.integers(0, 32_767),
    max_attempts=st.integers(1, 32_767),
    error_count=st.integers(0, 40_000),
    metadata=st.dictionaries(st.just("snoozes"), st.integers() | st.floats() | st.text() | st.none()),
)


@given(outcome=_outcomes, facts=_facts)
def test_every_outcome_leaves_a_row_that_can_be_stored(outcome: Outcome, facts: Facts) -> None:
    ended = decided(outcome, facts)

    assert ended.state is not JobState.RUNNING
    assert (ended.scheduled_in is None) == (ended.state in FINALIZED)
    assert max(0, facts.attempt - 1) <= ended.attempt <= facts.attempt
    assert (ended.error_json is not None) == isinstance(outcome, Failed | Discarded | Cancelled)
    if ended.scheduled_in is not None:
        assert timedelta(0) <= ended.scheduled_in <= MAX_DELAY
    if ended.error_json is not None:
        element = json.loads(ended.error_json)
        assert list(element) == ["at", "attempt", "error", "trace"]
        assert "\0" not in element["error"] + element["trace"]
        assert ended.error_json.encode()


def test_long_texts_are_cut() -> None:
    ended = decided(Failed("é" * 10**6, trace="x" * 10**6))

    element = json.loads(ended.error_json or "")
    assert len(element["error"].encode()) <= MAX_ERROR_BYTES
    assert len(element["trace"]) <= MAX_TRACE_BYTES
    assert element["error"].endswith("…")
