"""A look at all due jobs is taken as often as it is cheap; in between, only behind what was promoted already."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from riverrun.store.leader import Pulse
from riverrun.store.promote import EVERYWHERE, DueAfter, Promotion
from riverrun_scheduler.due import FURTHEST, LAG, NEAREST, SHARE, Due

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LAGGING = DueAfter(NOW - LAG)


def pulse(*, due: timedelta | None = None, seconds: float = 0.0) -> Pulse:
    """Return a pulse that found the next job due so long ago, none by default."""
    return Pulse(NOW, timedelta(hours=1), None if due is None else NOW - due, False, [], 0, None, seconds)


def test_looks_that_cost_next_to_nothing_are_looks_everywhere() -> None:
    due = Due()

    for _ in range(3):
        assert due.aim() == EVERYWHERE
        due.looked(pulse())


def test_after_a_look_that_took_long_the_next_ones_begin_where_everything_was_promoted() -> None:
    due = Due()
    due.aim()

    due.looked(pulse(seconds=1.0))

    assert due.aim() == LAGGING


def test_the_floor_follows_promotions_and_never_passes_a_job_that_waits() -> None:
    reached = (NOW - LAG * 2, 7)
    due = Due()
    due.aim()
    due.looked(pulse(due=LAG * 3, seconds=1.0))

    due.promoted(pulse(), Promotion(2_000, (), reached), exhausted=False)
    behind_the_last = due.aim()
    due.promoted(pulse(), Promotion(5, (4,), (NOW, 9)), exhausted=True)
    beside_a_contested_one = due.aim()
    due.promoted(pulse(), Promotion(5, (), (NOW, 9)), exhausted=True)

    assert behind_the_last == DueAfter(*reached)
    assert beside_a_contested_one == behind_the_last
    assert due.aim() == LAGGING


def test_a_look_everywhere_is_tried_again_and_when_it_is_given_up_the_floor_stays() -> None:
    clock = [0.0]
    due = Due(lambda: clock[0])
    due.aim()
    due.looked(pulse(seconds=1.0))
    clock[0] += SHARE
    again = due.aim()

    due.gave_up()

    assert again == EVERYWHERE
    assert due.aim() == LAGGING


def test_without_a_floor_looks_reach_back_for_less_and_less_until_one_comes_to_its_end() -> None:
    due = Due()
    reaches = []
    for _ in range(5):
        due.aim()
        due.gave_up()
        reaches.append(due.aim().reach)

    due.looked(pulse())

    assert reaches == [FURTHEST, FURTHEST / 4, FURTHEST / 16, NEAREST, NEAREST]
    assert due.aim() == LAGGING
