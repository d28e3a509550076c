"""Figures of finished attempts by minute, queue and kind: what charts and percentiles are drawn from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from riverrun.database.statements import Query, Steps
from riverrun.store.arrays import int_array
from riverrun.telemetry.metrics import RUN, WAIT

OUTCOMES = ("completed", "retried", "snoozed", "discarded", "cancelled", "interrupted", "rescued")


@dataclass(slots=True)
class Figures:
    """What happened to the jobs of one queue and kind since the figures were last written."""

    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    run_seconds: float = 0.0
    wait_seconds: float = 0.0
    run_buckets: list[int] = field(default_factory=lambda: [0] * (len(RUN) + 1))
    wait_buckets: list[int] = field(default_factory=lambda: [0] * (len(WAIT) + 1))

    def count(self, outcome: str, *, run: float, wait: float) -> None:
        """Add one attempt that ran for ``run`` seconds after it had been due for ``wait`` seconds."""
        self.outcomes[outcome] += 1
        self.run_seconds += run
        self.wait_seconds += wait
        self.run_buckets[bisect_left(RUN, run)] += 1
        self.wait_buckets[bisect_left(WAIT, wait)] += 1

    def merge(self, other: Figures) -> None:
        """Add the attempts that ``other`` has counted."""
        self.outcomes = {outcome: count + other.outcomes[outcome] for outcome, count in self.outcomes.items()}
        self.run_seconds += other.run_seconds
        self.wait_seconds += other.wait_seconds
        self.run_buckets = [ours + theirs for ours, theirs in zip(self.run_buckets, other.run_buckets, strict=True)]
        self.wait_buckets = [ours + theirs for ours, theirs in zip(self.wait_buckets, other.wait_buckets, strict=True)]


def add(figures: Mapping[tuple[str, str], Figures]) -> Steps[None]:
    """Add figures, by (queue, kind), to those of the present minute.

    They go in in the order of the keys, so that writers never wait for each other in a circle.
    """
    rows = sorted(figures.items())
    yield Query(
        "minute_add",
        {
            "queues": [queue for (queue, _), _ in rows],
            "kinds": [kind for (_, kind), _ in rows],
            **{outcome: [figure.outcomes[outcome] for _, figure in rows] for outcome in OUTCOMES},
            "run_seconds": [figure.run_seconds for _, figure in rows],
            "wait_seconds": [figure.wait_seconds for _, figure in rows],
            "run_buckets": [int_array(figure.run_buckets) for _, figure in rows],
            "wait_buckets": [int_array(figure.wait_buckets) for _, figure in rows],
        },
    )


def compact(generation: int) -> Steps[datetime | None]:
    """Sum up the minutes of the oldest hour that is over and not summed up yet; return it, ``None`` without one."""
    rows = yield Query("hour_compact", {"generation": generation})
    return rows[0][0] if rows else None
