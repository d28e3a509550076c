"""Whoever lost the database tries again ever later, each at another time, and says in the log when."""

from __future__ import annotations

from datetime import timedelta

from riverrun.backoff import Backoff


def test_waits_are_bounded_by_a_ceiling_that_doubles_up_to_its_cap_and_starts_again() -> None:
    backoff = Backoff(timedelta(seconds=1), timedelta(seconds=3))

    for ceiling in (1, 2, 3, 3):
        assert 0 <= backoff.next() <= ceiling
    backoff.reset()

    assert backoff.next() <= 1


def test_a_wait_is_exactly_what_a_log_line_shows_of_it() -> None:
    backoff = Backoff(timedelta(seconds=1), timedelta(seconds=1))

    waits = [backoff.next() for _ in range(50)]

    assert waits == [round(wait, 3) for wait in waits]
    assert len(set(waits)) > 25
