"""A histogram for what happens thousands of times a second; Prometheus' own takes a lock for every bucket."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class Series:
    """The distribution of one combination of labels; used by one thread."""

    __slots__ = ("_bounds", "buckets", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.buckets[bisect_left(self._bounds, value)] += 1
        self.total += value


class Distribution(Collector):
    """A histogram with labels.

    Args:
        name: Full name of the metric.
        meaning: Its HELP text.
        labels: Names of its labels.
        bounds: Upper bounds of its buckets, in seconds; one more bucket holds the rest.
        bounded: Returns the value of a label to use, so that values from outside stay few.
    """

    def __init__(
        self,
        name: str,
        meaning: str,
        labels: tuple[str, ...],
        *,
        bounds: tuple[float, ...],
        bounded: Callable[[str, str], str],
    ) -> None:
        self._name = name
        self._meaning = meaning
        self._labels = labels
        self._bounds = bounds
        self._bounded = bounded
        self._series: dict[tuple[str, ...], Series] = {}

    def of(self, *values: str) -> Series:
        """Return the series of these label values, in the order of the labels; keep it instead of asking again."""
        key = tuple(self._bounded(label, value) for label, value in zip(self._labels, values, strict=True))
        return self._series.setdefault(key, Series(self._bounds))

    def collect(self) -> Iterator[Metric]:
        """Give the histogram to Prometheus."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, series in list(self._series.items()):
            count, buckets = 0, []
            for bound, inside in zip((*map(str, map(float, self._bounds)), "+Inf"), series.buckets, strict=True):
                count += inside
                buckets.append((bound, float(count)))
            family.add_metric(list(values), buckets, series.total)
        yield family
