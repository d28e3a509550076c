"""Charts as geometry: paths in a square of 1000 by 100 that a page may stretch, with the words beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT = 1000, 100
_NICE = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity over the steps of a chart; ``None`` where there is nothing to say. ``tone`` is its class."""

    tone: str
    label: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Column:
    """One step: where it stands, what it is called, what each series is in it, and where a click leads."""

    x: float
    width: float
    at: datetime
    shown: tuple[str, ...]
    href: str | None


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that a template can draw.

    Attributes:
        areas: Bars of each series, as (tone, path).
        lines: Lines of each series, as (tone, path).
        top: What the upper edge of the drawing stands for.
        empty: Whether there is nothing to see.
    """

    series: tuple[Series, ...]
    areas: tuple[tuple[str, str], ...]
    lines: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    top: float
    show: Callable[[float | None], str]
    empty: bool


def stacked(
    starts: Sequence[datetime],
    series: Sequence[Series],
    *,
    show: Callable[[float | None], str],
    href: Callable[[int], str | None],
) -> Chart:
    """Return bars whose parts stand on each other, a bar a step; ``href`` says where the bar of a step leads."""
    heights = [sum(each.values[step] or 0 for each in series) for step in range(len(starts))]
    top = nice(max(heights, default=0))
    floor = [0.0] * len(starts)
    areas = []
    for each in series:
        path = []
        for step, value in enumerate(each.values):
            if value:
                path.append(_bar(step, len(starts), floor[step] / top, value / top))
                floor[step] += value
        areas.append((each.tone, "".join(path)))
    return Chart(tuple(series), tuple(areas), (), _columns(starts, series, show, href), top, show, not any(heights))


def lines(starts: Sequence[datetime], series: Sequence[Series], *, show: Callable[[float | None], str]) -> Chart:
    """Return lines that break where nothing is known."""
    known = [value for each in series for value in each.values if value is not None]
    top = nice(max(known, default=0))
    drawn = tuple((each.tone, _line(each.values, top)) for each in series)
    columns = _columns(starts, series, show, lambda _: None)
    return Chart(tuple(series), (), drawn, columns, top, show, not known)


def histogram(buckets: Sequence[int], bounds: Sequence[float]) -> list[tuple[float, int, float]]:
    """Return the filled buckets as (upper bound, jobs, share of the fullest), from the first to the last filled one."""
    filled = [place for place, jobs in enumerate(buckets) if jobs]
    if not filled:
        return []
    most = max(buckets)
    places = range(filled[0], filled[-1] + 1)
    return [(bounds[min(place, len(bounds) - 1)], buckets[place], buckets[place] / most) for place in places]


def spark(good: Sequence[int], bad: Sequence[int]) -> tuple[str, str]:
    """Return the paths of a small chart: bars of ``good``, and on them those of ``bad``."""
    top = max((a + b for a, b in zip(good, bad, strict=True)), default=0) or 1
    lower = "".join(_bar(step, len(good), 0, value / top) for step, value in enumerate(good) if value)
    upper = "".join(_bar(step, len(good), good[step] / top, value / top) for step, value in enumerate(bad) if value)
    return lower, upper


def nice(value: float) -> float:
    """Return the least round number that is not below ``value``; 1 for nothing."""
    if value <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(value))
    return next(factor * size for factor in _NICE if factor * size >= value * 0.999_999)


def _bar(step: int, steps: int, floor: float, height: float) -> str:
    width = WIDTH / steps
    x, y = step * width + width * 0.12, HEIGHT * (1 - floor - height)
    return f"M{x:.1f} {y:.2f}h{width * 0.76:.1f}v{HEIGHT * height:.2f}h-{width * 0.76:.1f}z"


def _line(values: Sequence[float | None], top: float) -> str:
    width, path, pen = WIDTH / max(1, len(values)), [], "M"
    for step, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        x, y = (step + 0.5) * width, HEIGHT * (1 - min(1.0, value / top))
        # A point alone would not be seen: it is drawn as a short dash.
        alone = pen == "M" and (step + 1 == len(values) or values[step + 1] is None)
        path.append(f"{pen}{x:.1f} {y:.2f}" + (f"h{width * 0.3:.1f}" if alone else ""))
        pen = "L"
    return "".join(path)


def _columns(
    starts: Sequence[datetime],
    series: Sequence[Series],
    show: Callable[[float | None], str],
    href: Callable[[int], str | None],
) -> tuple[Column, ...]:
    width = WIDTH / max(1, len(starts))
    return tuple(
        Column(step * width, width, at, tuple(show(each.values[step]) for each in series), href(step))
        for step, at in enumerate(starts)
    )
