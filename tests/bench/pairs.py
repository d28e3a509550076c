"""What two things that were measured next to each other, again and again, say about each other.

A machine gets faster and slower for minutes; two measurements that follow each other meet the same machine. So what is
looked at is the ratio of each pair, and never one middle beside another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median


@dataclass(frozen=True, slots=True)
class Interval:
    """A middle, and where it lies with a probability of 95 % or more; without ends while there are too few values."""

    median: float
    lowest: float = float("-inf")
    highest: float = float("inf")

    @property
    def reach(self) -> float:
        """How far the farther end is from the middle."""
        return max(self.median - self.lowest, self.highest - self.median)


def ratio(values: Sequence[float], bases: Sequence[float]) -> Interval:
    """Return the middle of ``values`` each divided by the one of ``bases`` that was measured beside it.

    The ends are two of the ratios: those that the middle of all that could be measured is outside of, by the laws of
    tossed coins, in no more than one of forty runs on either side. Nothing is assumed of how the ratios are spread.
    """
    ratios = sorted(value / base for value, base in zip(values, bases, strict=True))
    outside = _outside(len(ratios))
    if outside == 0:
        return Interval(median(ratios))
    return Interval(median(ratios), ratios[outside - 1], ratios[-outside])


def _outside(values: int) -> int:
    """Return at which place from either end of so many values the interval begins; 0: there are too few for one."""
    place, probability = 0, 1 / 2**values
    while probability <= 0.025:  # that so few of the values lie on one side of the true middle
        place += 1
        probability += comb(values, place) / 2**values
    return place
