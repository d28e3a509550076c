"""The charts of the overview and of a queue, out of figures that are a few seconds old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from aiohttp import web

from riverrun.store import figures
from riverrun.store.figures import KindFigures, Period, Point, Spark
from riverrun_admin.documents import moment
from riverrun_admin.pages import formats
from riverrun_admin.pages.charts import Chart, Series, lines, stacked
from riverrun_admin.pages.texts import translator
from riverrun_admin.pages.view import view_of
from riverrun_admin.scope import queues_seen
from riverrun_admin.services import services

HISTORY_SECONDS = 5.0
LONG, LONG_HISTORY_SECONDS = timedelta(hours=1), 60.0
"""Which kinds were the busiest of a day is asked less often than what happened in this hour."""

SPARK_SECONDS = 2.0
SPARK_MINUTES = 30
OUTCOMES = ("completed", "retried", "discarded", "cancelled", "snoozed")
PERCENTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))


@dataclass(frozen=True, slots=True)
class History:
    """What ended in a period, step by step and kind by kind."""

    points: Sequence[Point]
    kinds: Sequence[KindFigures]


async def history(request: web.Request, period: Period, *, queue: str | None = None) -> History:
    """Return what ended in ``period``, in one queue or in all that the sender may see."""
    served_by = services(request)
    queues = await queues_seen(request) if queue is None else (queue,)
    points = await served_by.recent.get(
        ("points", period.name, queues), lambda: served_by.histories.points(period, queues), seconds=HISTORY_SECONDS
    )
    kinds = await served_by.recent.get(
        ("kinds", period.name, queues),
        lambda: served_by.database.run(figures.kinds(period, datetime.now(UTC), queues=queues)),
        seconds=LONG_HISTORY_SECONDS if period.span > LONG else HISTORY_SECONDS,
    )
    return History(points, kinds)


async def sparks(request: web.Request) -> Mapping[str, Spark]:
    """Return what ended in each of the last minutes, by queue."""
    database = services(request).database

    async def ask() -> Mapping[str, Spark]:
        return await database.run(figures.sparks(datetime.now(UTC), minutes=SPARK_MINUTES))

    return await services(request).recent.get("sparks", ask, seconds=SPARK_SECONDS)


def charts(
    request: web.Request, period: Period, points: Sequence[Point], *, queue: str | None = None
) -> dict[str, Chart]:
    """Return the charts of a period: how attempts ended, how long jobs waited, how long they ran."""
    text = translator(view_of(request)["lang"])
    span = formats.spans(text)
    starts = [point.at for point in points]
    ended = [
        Series(outcome, text(f"outcome.{outcome}"), [getattr(point, outcome) for point in points])
        for outcome in OUTCOMES
    ]
    waits = [Series(name, name, [point.wait(fraction) for point in points]) for fraction, name in PERCENTILES]
    runs = [Series(name, name, [point.run(fraction) for point in points]) for fraction, name in PERCENTILES]

    def jobs_of(step: int) -> str | None:
        if period.by_hour:
            return None
        after, before = moment(starts[step]), moment(starts[step] + period.step)
        return f"created_after={after}&created_before={before}" + (f"&{urlencode({'queue': queue})}" if queue else "")

    shown = [series for series in ended if any(series.values)] or ended[:1]
    return {
        "outcomes": stacked(starts, shown, show=lambda value: formats.number(int(value or 0)), href=jobs_of),
        "wait": lines(starts, waits, show=span),
        "run": lines(starts, runs, show=span),
    }
