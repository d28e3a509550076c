"""How long a failed job waits."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun.errors import InvalidInput
from riverrun.retry import (
    MAX_DELAY,
    RIVER_BACKOFF,
    ExponentialBackoff,
    FixedBackoff,
    ListedBackoff,
    RetryOption,
    RetryPolicy,
    backoff_of,
    next_retry_delay,
    retry_delay,
)
from support.attempts import claimed

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("errors", "seconds"), [(0, 1), (1, 16), (2, 81), (3, 256), (4, 625), (5, 1296)])
def test_rivers_policy_is_the_fourth_power_of_the_errors_give_or_take_a_tenth(errors: int, seconds: int) -> None:
    rng = random.Random(7)

    delays = [next_retry_delay(errors, rng) for _ in range(500)]

    assert min(delays) >= 0.9 * seconds * SECOND
    assert max(delays) <= 1.1 * seconds * SECOND
    assert min(delays) < 0.91 * seconds * SECOND
    assert max(delays) > 1.09 * seconds * SECOND


def test_twenty_five_attempts_take_about_three_weeks() -> None:
    rng = random.Random(7)

    total = sum((next_retry_delay(errors, rng) for errors in range(24)), timedelta())

    assert timedelta(days=18) < total < timedelta(days=24)


@pytest.mark.parametrize("errors", [309, 310, 32_767, 10**9])
def test_rivers_policy_has_no_jitter_at_its_cap(errors: int) -> None:
    assert next_retry_delay(errors, random.Random(7)) == MAX_DELAY


def test_an_exponential_backoff_doubles_until_its_cap() -> None:
    backoff = ExponentialBackoff(base=2 * SECOND, cap=10 * SECOND)
    rng = random.Random(7)

    for errors, seconds in enumerate([2, 4, 8, 10, 10]):
        delay = retry_delay(backoff, errors=errors, rng=rng)
        assert 0.9 * seconds * SECOND <= delay <= 1.1 * seconds * SECOND


def test_a_listed_backoff_stays_at_its_last_delay() -> None:
    backoff = ListedBackoff([SECOND, 5 * SECOND])

    delays = [retry_delay(backoff, errors=errors, rng=random.Random(7)) for errors in range(4)]

    assert delays == [SECOND, 5 * SECOND, 5 * SECOND, 5 * SECOND]


def test_a_fixed_backoff_is_exact() -> None:
    assert retry_delay(FixedBackoff(3 * SECOND), errors=17, rng=random.Random(7)) == 3 * SECOND


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: ExponentialBackoff(base=timedelta(0)), "base"),
        (lambda: ExponentialBackoff(base=2 * SECOND, cap=SECOND), "cap"),
        (lambda: ExponentialBackoff(cap=timedelta.max), "cap"),
        (lambda: FixedBackoff(-SECOND), "delay"),
        (lambda: FixedBackoff(timedelta.max), "delay"),
        (lambda: ListedBackoff([]), "delays"),
        (lambda: ListedBackoff([SECOND, -SECOND]), "delays.1"),
    ],
)
def test_a_backoff_that_cannot_be_meant_is_refused(make: object, field: str) -> None:
    assert callable(make)

    with pytest.raises(InvalidInput) as refused:
        make()

    assert refused.value.field == field


_delays = st.timedeltas(min_value=timedelta(0), max_value=MAX_DELAY)
_backoffs: st.SearchStrategy[RetryPolicy] = st.one_of(
    st.just(RIVER_BACKOFF),
    st.builds(FixedBackoff, _delays),
    st.builds(ListedBackoff, st.lists(_delays, min_size=1, max_size=3)),
    st.builds(
        lambda base, more: ExponentialBackoff(base=base, cap=min(base + more, MAX_DELAY)),
        st.timedeltas(min_value=timedelta(microseconds=1), max_value=MAX_DELAY),
        _delays,
    ),
)


@given(backoff=_backoffs, errors=st.integers(0, 2**31), seed=st.integers(0, 2**32))
def test_no_delay_leaves_the_range_of_dates(backoff: RetryPolicy, errors: int, seed: int) -> None:
    delay = retry_delay(backoff, errors=errors, rng=random.Random(seed))

    assert timedelta(0) <= delay <= MAX_DELAY
    assert datetime(2100, 1, 1, tzinfo=UTC) + delay


@pytest.mark.parametrize(
    ("policy", "meant"),
    [
        (30, FixedBackoff(timedelta(seconds=30))),
        (timedelta(minutes=1), FixedBackoff(timedelta(minutes=1))),
        ([0, 1.5, timedelta(hours=1)], ListedBackoff([timedelta(), timedelta(seconds=1.5), timedelta(hours=1)])),
        (ExponentialBackoff(), ExponentialBackoff()),
        (RIVER_BACKOFF, RIVER_BACKOFF),
    ],
)
def test_a_policy_is_given_as_it_is_said(policy: RetryOption, meant: RetryPolicy) -> None:
    assert backoff_of(policy, "retry") == meant


@pytest.mark.parametrize("policy", ["30", True, -1, math.nan, math.inf, [], ["1"], [-1], [True], None, timedelta(-1)])
def test_what_is_no_policy_is_refused(policy: Any) -> None:
    with pytest.raises(InvalidInput):
        backoff_of(policy, "retry")


@pytest.mark.parametrize(
    ("answer", "delay"),
    [
        (5, timedelta(seconds=5)),
        (0, timedelta()),
        (timedelta(days=1), timedelta(days=1)),
        (1e9, timedelta(seconds=1e9)),
    ],
)
def test_a_function_of_the_job_is_a_policy(answer: Any, delay: timedelta) -> None:
    job = claimed({"wait": True})
    backoff = backoff_of(lambda job: answer if job.args["wait"] else None, "retry")

    assert retry_delay(backoff, errors=3, rng=random.Random(1), job=job) == delay


@pytest.mark.parametrize("answer", [None, -1, math.nan, "soon", timedelta(-1)])
def test_a_function_that_gives_no_time_leaves_it_to_river(answer: Any) -> None:
    backoff = backoff_of(lambda _: answer, "retry")

    assert retry_delay(backoff, errors=1, rng=random.Random(1)) == next_retry_delay(1, random.Random(1))


def test_a_function_that_raises_is_logged_and_leaves_it_to_river(caplog: pytest.LogCaptureFixture) -> None:
    def broken(job: object) -> int:
        raise KeyError(job)

    delay = retry_delay(backoff_of(broken, "retry"), errors=1, rng=random.Random(1))

    assert delay == next_retry_delay(1, random.Random(1))
    assert [record.message for record in caplog.records] == ["retry_policy_failed"]
