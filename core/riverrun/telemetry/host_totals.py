"""How the figures of short-lived processes become those of one host.

A child sends what changed to its supervisor, at most once a second; the supervisor keeps the totals of the host, so
that the restart of a child never resets a counter; the admin process asks for them when it is scraped. (Files shared
by ``prometheus_client``'s own multi-process mode outlive the processes that wrote them and slow every scrape.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from riverrun.messages import Sample
from riverrun.telemetry.metrics import REGISTRY

Key = tuple[str, tuple[tuple[str, str], ...]]


class Changes:
    """What this process measured since it last told; ``take`` is called about once a second."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._registry = registry
        self._counters: dict[Key, float] = {}
        self._gauges: dict[Key, float] = {}

    def take(self) -> tuple[list[Sample], list[Sample] | None]:
        """Return the growth of counters and histograms, and all gauges if one of them changed, else None."""
        counters: list[Sample] = []
        gauges: dict[Key, float] = {}
        for name, labels, value, is_gauge in _samples(self._registry):
            key = (name, tuple(labels.items()))
            if is_gauge:
                gauges[key] = value
            elif key not in self._counters or value != self._counters[key]:
                counters.append((name, labels, value - self._counters.get(key, 0.0)))
                self._counters[key] = value
        if gauges == self._gauges:
            return counters, None
        self._gauges = gauges
        return counters, [(name, dict(labels), value) for (name, labels), value in gauges.items()]


class HostTotals:
    """The figures of all processes of this host, kept by the supervisor."""

    def __init__(self) -> None:
        self._counters: dict[Key, float] = {}
        self._gauges: dict[str, dict[Key, float]] = {}

    def add(self, child: str, counters: Iterable[Sample], gauges: Iterable[Sample] | None) -> None:
        """Add the growth that ``child`` reports; its gauges, if any, replace its earlier ones."""
        for name, labels, value in counters:
            key = (name, tuple(sorted(labels.items())))
            self._counters[key] = self._counters.get(key, 0.0) + value
        if gauges is not None:
            self._gauges[child] = {(name, tuple(sorted(labels.items()))): value for name, labels, value in gauges}

    def forget(self, child: str) -> None:
        """Remove the gauges of a process that has ended; what it counted stays."""
        self._gauges.pop(child, None)

    def snapshot(self) -> list[Sample]:
        """Return all samples; equal gauges of several processes are added up."""
        totals = dict(self._counters)
        for gauges in self._gauges.values():
            for key, value in gauges.items():
                totals[key] = totals.get(key, 0.0) + value
        return [(name, dict(labels), value) for (name, labels), value in totals.items()]


def own_samples() -> list[Sample]:
    """Return what this process alone has measured, for a process that has no supervisor."""
    return [(name, labels, value) for name, labels, value, _ in _samples(REGISTRY)]


def render(samples: Iterable[Sample]) -> bytes:
    """Return ``samples`` in Prometheus' text format 0.0.4, with HELP and TYPE of every metric."""
    registry = CollectorRegistry()
    registry.register(_Rendered(samples))
    return generate_latest(registry)


class _Rendered(Collector):
    """Puts samples back under the families they were declared in; unknown ones are left out."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        families = {
            family.name: Metric(family.name, family.documentation, family.type) for family in REGISTRY.collect()
        }
        for name, labels, value in sorted(self._samples, key=_order):
            family = families.get(_family(name, families))
            if family is not None:
                family.add_sample(name, dict(labels), value)
        yield from families.values()


def _samples(registry: CollectorRegistry) -> Iterator[tuple[str, dict[str, str], float, bool]]:
    for family in registry.collect():
        is_gauge = family.type == "gauge"
        for sample in family.samples:
            if is_gauge or not sample.name.endswith("_created"):
                yield sample.name, sample.labels, sample.value, is_gauge


def _family(sample: str, families: Mapping[str, Metric]) -> str:
    if sample in families:
        return sample
    return sample.rpartition("_")[0]


def _order(sample: Sample) -> tuple[str, list[tuple[str, str]], float]:
    """Sort by name and labels, the buckets of one histogram by their bound."""
    name, labels, _ = sample
    rest = sorted((label, value) for label, value in labels.items() if label != "le")
    return name, rest, float(labels.get("le", "0"))
