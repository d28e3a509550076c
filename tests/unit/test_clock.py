"""A clock that is set is told from one that goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from riverrun_scheduler.clock import DatabaseClock


@pytest.mark.parametrize("seconds", [-3600, -6, 6, 3600])
def test_a_clock_that_was_set_is_noticed_once(seconds: int) -> None:
    clock = DatabaseClock()
    now = datetime.now(UTC)

    assert not clock.read(now)
    assert clock.steady_for == timedelta.max
    assert clock.read(now + timedelta(seconds=seconds))
    assert clock.steady_for < timedelta(seconds=5)
    assert not clock.read(now + timedelta(seconds=seconds))


def test_an_answer_that_took_its_time_is_no_clock_that_was_set() -> None:
    clock = DatabaseClock()
    now = datetime.now(UTC)

    assert not any(clock.read(now + timedelta(seconds=late)) for late in (0, -2, 1, -1.5, 0))
