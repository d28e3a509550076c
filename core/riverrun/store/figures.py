"""How attempts ended over time: what the charts are drawn from, out of minutes, and of hours for longer periods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from riverrun.database.statements import Query, Steps
from riverrun.store.statistics import percentile
from riverrun.telemetry.metrics import RUN, WAIT

MOST_KINDS = 10
KNOWN_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time up to now, and the steps that a chart of it has.

    Attributes:
        name: As it stands in an address.
        span: Its length.
        step: A whole part of a day.
        by_hour: Whether steps are whole hours, so that hours may stand for their minutes.
    """

    name: str
    span: timedelta
    step: timedelta
    by_hour: bool = False


PERIODS = (
    Period("15m", timedelta(minutes=15), timedelta(minutes=1)),
    Period("1h", timedelta(hours=1), timedelta(minutes=1)),
    Period("6h", timedelta(hours=6), timedelta(minutes=5)),
    Period("24h", timedelta(hours=24), timedelta(hours=1), by_hour=True),
    Period("72h", timedelta(hours=72), timedelta(hours=1), by_hour=True),
    Period("30d", timedelta(days=30), timedelta(hours=12), by_hour=True),
)


@dataclass(frozen=True, slots=True)
class Point:
    """What ended in one step of time; each bucket list has one element more than there are bounds, or none at all."""

    at: datetime
    completed: int = 0
    retried: int = 0
    snoozed: int = 0
    discarded: int = 0
    cancelled: int = 0
    interrupted: int = 0
    rescued: int = 0
    run_buckets: Sequence[int] = ()
    wait_buckets: Sequence[int] = ()

    def run(self, fraction: float) -> float | None:
        """Return the seconds that ``fraction`` of the attempts did not exceed."""
        return percentile(self.run_buckets, RUN, fraction=fraction)

    def wait(self, fraction: float) -> float | None:
        """Return the seconds that ``fraction`` of the attempts did not wait longer than."""
        return percentile(self.wait_buckets, WAIT, fraction=fraction)


@dataclass(frozen=True, slots=True)
class KindFigures:
    """How the attempts of one kind ended in a period, and how long they ran, all together and half and most of them."""

    kind: str
    completed: int
    retried: int
    discarded: int
    run_seconds: float
    run_p50_s: float | None
    run_p95_s: float | None

    @property
    def failed_share(self) -> float:
        """The part of the attempts that failed, from 0 to 1."""
        failed = self.retried + self.discarded
        return failed / (self.completed + failed) if failed else 0.0


@dataclass(frozen=True, slots=True)
class Spark:
    """How many attempts of a queue succeeded and failed in each of the last minutes, oldest first."""

    completed: list[int]
    failed: list[int]


def series(
    period: Period, now: datetime, *, steps: slice = slice(None), queues: Sequence[str] | None = None
) -> Steps[list[Point]]:
    """Return a point for each step of ``period``, the present one last; empty ones for steps in which nothing ended.

    Args:
        period: A stretch of time.
        now: Its end.
        steps: Which of its steps, all by default; at least one.
        queues: What ended in any of them counts; without any, what ended anywhere.
    """
    starts = step_starts(period, now)[steps]
    rows = yield Query(
        "figure_series",
        {
            "since": starts[0],
            "until": starts[-1] + period.step,
            "step": int(period.step.total_seconds()),
            "by_hour": period.by_hour,
            "queues": None if queues is None else list(queues),
        },
    )
    found = {row[0]: Point(*row) for row in rows}
    return [found.get(start) or Point(start) for start in starts]


def kinds(period: Period, now: datetime, *, queues: Sequence[str] | None = None) -> Steps[list[KindFigures]]:
    """Return the busiest kinds of ``period``, at most `MOST_KINDS`, the busiest first."""
    since = step_starts(period, now)[0]
    named = None if queues is None else list(queues)
    params = {"since": since, "by_hour": period.by_hour, "queues": named, "most": MOST_KINDS}
    rows = yield Query("figure_kinds", params)
    return [
        KindFigures(
            kind=kind,
            completed=completed,
            retried=retried,
            discarded=discarded,
            run_seconds=run_seconds,
            run_p50_s=percentile(buckets, RUN, fraction=0.5),
            run_p95_s=percentile(buckets, RUN, fraction=0.95),
        )
        for kind, completed, retried, discarded, run_seconds, buckets in rows
    ]


def kinds_of(queues: Sequence[str], now: datetime) -> Steps[set[str]]:
    """Return the kinds of which an attempt in one of ``queues`` has ended within `KNOWN_FOR`."""
    rows = yield Query("figure_kind_names", {"since": now - KNOWN_FOR, "queues": list(queues)})
    return {row[0] for row in rows}


def sparks(now: datetime, *, minutes: int) -> Steps[dict[str, Spark]]:
    """Return what ended in each of the last ``minutes``, the present one included, by queue."""
    rows = yield Query("minute_sparks", {"minutes": minutes})
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=minutes - 1)
    found: dict[str, Spark] = {}
    for queue, minute, completed, failed in rows:
        spark = found.setdefault(queue, Spark([0] * minutes, [0] * minutes))
        place = (minute - first) // timedelta(minutes=1)
        if 0 <= place < minutes:
            spark.completed[place], spark.failed[place] = completed, failed
    return found


def step_starts(period: Period, now: datetime) -> list[datetime]:
    """Return when each step of ``period`` begins, in UTC days; the last one is the present."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    last = day + (now - day) // period.step * period.step
    return [last - back * period.step for back in reversed(range(period.span // period.step))]
