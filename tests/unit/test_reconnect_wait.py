"""Whoever lost the database tries again ever later, each at another time, and says in the log when."""

from __future__ import annotations

from datetime import timedelta

from riverrun.reconnect_wait import ReconnectWait


def test_waits_are_bounded_by_a_ceiling_that_doubles_up_to_its_cap_and_starts_again() -> None:
    wait = ReconnectWait(timedelta(seconds=1), timedelta(seconds=3))

    for ceiling in (1, 2, 3, 3):
        assert 0 <= wait.next() <= ceiling
    wait.reset()

    assert wait.next() <= 1


def test_a_wait_is_exactly_what_a_log_line_shows_of_it() -> None:
    wait = ReconnectWait(timedelta(seconds=1), timedelta(seconds=1))

    waits = [wait.next() for _ in range(50)]

    assert waits == [round(seconds, 3) for seconds in waits]
    assert len(set(waits)) > 25
