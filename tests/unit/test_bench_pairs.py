"""What measurements in pairs may claim."""

from __future__ import annotations

import math
import random

from bench.pairs import Interval, ratio


def test_a_machine_that_gets_slower_meanwhile_changes_no_ratio() -> None:
    bases = [1_000.0 / slower for slower in range(1, 13)]

    assert ratio([base * 0.9 for base in bases], bases) == Interval(0.9, 0.9, 0.9)


def test_a_few_pairs_have_a_middle_and_claim_no_range() -> None:
    found = ratio([1.0, 2.0, 3.0, 4.0, 5.0], [1.0] * 5)

    assert (found.median, found.reach) == (3.0, math.inf)


def test_the_ends_are_those_of_the_sign_test() -> None:
    values = [float(number) for number in range(1, 21)]
    random.Random(1).shuffle(values)

    # Of 20 tosses five or fewer are heads in 2.07 % of all runs, six or fewer in 5.8 %.
    assert ratio(values, [1.0] * 20) == Interval(10.5, 6.0, 15.0)


def test_the_range_holds_the_true_middle_in_nineteen_of_twenty_runs() -> None:
    draw = random.Random(7)

    def holds() -> bool:
        found = ratio([draw.lognormvariate(0, 0.3) for _ in range(25)], [1.0] * 25)
        return found.lowest <= 1.0 <= found.highest

    assert sum(holds() for _ in range(1_000)) >= 950
