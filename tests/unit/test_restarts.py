"""A process that ends again and again is started ever later, but not because somebody kills it."""

from __future__ import annotations

import signal
from datetime import timedelta
from types import SimpleNamespace

import pytest

from riverrun_supervisor.exits import Exit
from riverrun_supervisor.restarts import Restarts

KILLED_BY_HAND = Exit(-signal.SIGKILL, out_of_memory=False)
LEFT = Exit(0)
KILLED_FOR_MEMORY = Exit(-signal.SIGKILL, out_of_memory=True)


def waits(exited: Exit, *, times: int = 200) -> list[float]:
    restarts = Restarts(timedelta(seconds=30))
    return [restarts.after(exited, lived=2.0) for _ in range(times)]


def test_a_process_that_is_killed_by_hand_is_back_within_a_second_however_often() -> None:
    assert max(waits(KILLED_BY_HAND)) <= 1.0


def test_a_process_that_somebody_tells_to_leave_is_back_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(0, 10_000, 20))  # three a minute
    monkeypatch.setattr("riverrun_supervisor.restarts.time", SimpleNamespace(monotonic=lambda: next(moments)))

    assert max(waits(LEFT)) <= 1.0


def test_a_process_that_leaves_as_soon_as_it_is_started_is_started_ever_later() -> None:
    assert max(waits(LEFT)) > 15


def test_a_process_that_takes_too_much_memory_again_and_again_is_started_ever_later() -> None:
    seconds = waits(KILLED_FOR_MEMORY)

    assert max(seconds[:2]) <= 0.4
    assert 15 < max(seconds) <= 30


def test_kills_by_hand_are_no_crash_loop_and_count_as_restarts() -> None:
    restarts = Restarts(timedelta(seconds=30))
    for _ in range(10):
        restarts.after(KILLED_BY_HAND, lived=2.0)

    assert not restarts.is_crash_loop
    assert restarts.count == 10
