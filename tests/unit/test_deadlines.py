"""Attempts with a time limit, and the one timer for all that share a limit."""

from __future__ import annotations

from riverrun_executor.deadlines import Deadlines
from support.eventually import eventually


async def test_attempts_are_over_in_the_order_in_which_they_began() -> None:
    over: list[str] = []
    deadlines = Deadlines(over.append)

    for name in ("first", "second", "third"):
        deadlines.watch(name, 0.05)

    await eventually(lambda: over == ["first", "second", "third"], within=5.0)


async def test_an_attempt_that_has_ended_is_never_over() -> None:
    over: list[str] = []
    deadlines = Deadlines(over.append)
    for name in ("ended", "hangs"):
        deadlines.watch(name, 0.05)

    deadlines.forget("ended", 0.05)

    await eventually(lambda: over == ["hangs"], within=5.0)


async def test_a_short_limit_does_not_wait_for_a_long_one() -> None:
    over: list[str] = []
    deadlines = Deadlines(over.append)

    deadlines.watch("long", 60.0)
    deadlines.watch("short", 0.05)

    await eventually(lambda: over == ["short"], within=5.0)


async def test_nothing_is_kept_of_limits_that_no_attempt_has_any_more() -> None:
    deadlines = Deadlines[str](lambda _: None)
    deadlines.watch("ended", 0.05)
    deadlines.forget("ended", 0.05)
    deadlines.watch("over", 0.01)

    await eventually(lambda: not deadlines._lines, within=5.0)

    deadlines.forget("over", 0.01)
    deadlines.watch("later", 0.05)
    assert list(deadlines._lines) == [0.05]
