"""Every metric, declared once, and how the figures of short-lived processes become those of one host.

A child sends what changed to its supervisor, at most once a second; the supervisor keeps the totals of the host, so
that the restart of a child never resets a counter; the admin process asks for them when it is scraped. (Files shared
by ``prometheus_client``'s own multi-process mode outlive the processes that wrote them and slow every scrape.)

    metrics.job_attempts.labels(queue="mail", kind="email", outcome="completed").inc()
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from riverrun.messages import Sample
from riverrun.telemetry.distribution import Distribution

REGISTRY = CollectorRegistry(auto_describe=True)
"""What this process has measured itself."""

DISTINCT_LABELS = 200
"""So many kinds, and so many queues, get a series of their own; those seen later share ``_other``."""

M = TypeVar("M", Counter, Histogram)


class Labelled(Generic[M]):
    """A counter or histogram with labels, cheap enough to be used for every job.

    Kinds and queues come from outside, so their number is bounded here.
    """

    def __init__(self, metric: M) -> None:
        self._metric: M = metric
        self._children: dict[tuple[tuple[str, str], ...], M] = {}

    def labels(self, **labels: str) -> M:
        """Return the series of these labels, each of which must be given."""
        key = tuple(labels.items())
        child = self._children.get(key)
        if child is None:
            child = self._metric.labels(**{name: _bounded(name, value) for name, value in key})
            if len(self._children) < DISTINCT_LABELS**2:
                self._children[key] = child
        return child


_seen: dict[str, set[str]] = {"kind": set(), "queue": set()}


def _bounded(name: str, value: str) -> str:
    seen = _seen.get(name)
    if seen is None or value in seen:
        return value
    if len(seen) >= DISTINCT_LABELS:
        return "_other"
    seen.add(value)
    return value


def _counter(name: str, meaning: str, *labels: str) -> Labelled[Counter]:
    return Labelled(Counter(f"riverrun_{name}", meaning, labels, registry=REGISTRY))


def _gauge(name: str, meaning: str, *labels: str) -> Gauge:
    return Gauge(f"riverrun_{name}", meaning, labels, registry=REGISTRY)


def _histogram(name: str, meaning: str, *labels: str, buckets: tuple[float, ...]) -> Labelled[Histogram]:
    return Labelled(Histogram(f"riverrun_{name}", meaning, labels, registry=REGISTRY, buckets=buckets))


def _distribution(name: str, meaning: str, *labels: str, bounds: tuple[float, ...]) -> Distribution:
    distribution = Distribution(f"riverrun_{name}", meaning, labels, bounds=bounds, bounded=_bounded)
    REGISTRY.register(distribution)
    return distribution


RUN = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
WAIT = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400)
STATEMENT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
COUNT = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

# Processes of this host; the supervisor's
build_info = _gauge("build_info", "Always 1; the release and what it runs on", "version", "python")
process_up = _gauge("process_up", "1 while the process runs, 0 while it waits to be restarted", "role", "name")
process_answering = _gauge("process_answering", "1 while the process's event loop answers", "role", "name")
process_restarts = _counter("process_restarts_total", "Exits that the supervisor did not ask for", "role", "name")
process_resident_memory = _gauge("process_resident_memory_bytes", "Resident memory of the process", "role", "name")
notify_received = _counter("notify_received_total", "Notifications received from PostgreSQL", "channel")
notify_reconnects = Counter(
    "riverrun_notify_reconnects_total", "Times the listening connection was opened again", registry=REGISTRY
)

# Jobs
jobs_inserted = _counter(
    "jobs_inserted_total", "Jobs enqueued; result: inserted, duplicate", "queue", "kind", "source", "result"
)
job_attempts = _counter("job_attempts_total", "Finished attempts by outcome", "queue", "kind", "outcome")
job_errors = _counter("job_errors_total", "Failed attempts by cause", "queue", "kind", "error_type")
attempts_superseded = _counter(
    "attempts_superseded_total",
    "Attempts whose job had been taken from them before they could write their end",
    "queue",
)
job_duration = _distribution("job_duration_seconds", "From claim to outcome", "queue", "kind", "outcome", bounds=RUN)
job_wait = _distribution("job_wait_seconds", "From scheduled_at to claim", "queue", bounds=WAIT)

# Executors
executor_slots = _gauge("executor_slots", "Jobs that may run at once on this host", "queue")
executor_busy = _gauge("executor_busy", "Jobs that run on this host", "queue")
fetch_duration = _histogram("fetch_duration_seconds", "Duration of a claim", "queue", buckets=STATEMENT)
fetch_jobs = _histogram("fetch_jobs", "Jobs that one claim returned", "queue", buckets=COUNT)
completion_batch_jobs = Histogram(
    "riverrun_completion_batch_jobs", "Jobs finalized together", registry=REGISTRY, buckets=COUNT
)
completion_flush = Histogram(
    "riverrun_completion_flush_seconds", "Duration of finalizing a batch", registry=REGISTRY, buckets=STATEMENT
)
handler_requests = _counter(
    "handler_requests_total", "Calls of remote handlers; code: status or error type", "kind", "transport", "code"
)
handler_request_duration = _histogram(
    "handler_request_duration_seconds", "Duration of a call of a remote handler", "kind", "transport", buckets=RUN
)

# The scheduler; those of the whole database are set by the leader alone
leader = _gauge("leader", "1 on the host whose scheduler leads")
schedule_runs = _counter(
    "schedule_runs_total", "Ticks of a schedule; result: enqueued, duplicate, skipped, failed", "schedule", "result"
)
schedule_lag = _gauge("schedule_lag_seconds", "How late the last tick was enqueued", "schedule")
schedule_next_run = _gauge("schedule_next_run_timestamp_seconds", "When the next tick is due", "schedule")
queue_jobs = _gauge("queue_jobs", "Jobs of a queue in an unfinished state", "queue", "state")
queue_oldest_job_age = _gauge("queue_oldest_job_age_seconds", "Age of the oldest job that is due", "queue")
queue_paused = _gauge("queue_paused", "1 while the queue is paused", "queue")
queue_served = _gauge("queue_served", "1 while some executor has slots for the queue", "queue")
table_rows = _gauge("table_rows_estimate", "Rows of a table as the planner estimates them", "table")
table_bytes = _gauge("table_bytes", "Size of a table with its indexes", "table")
table_dead_rows = _gauge("table_dead_rows", "Rows that wait for VACUUM", "table")
pg_notification_queue = _gauge("pg_notification_queue_ratio", "Filled part of PostgreSQL's notification queue")
oldest_xmin_age = _gauge(
    "oldest_xmin_age_seconds", "Age of the oldest transaction, prepared one, or slot that holds VACUUM back"
)

# The admin process and every connection
db_errors = _counter("db_errors_total", "Failed statements and connections", "kind")
admin_http_requests = _counter(
    "admin_http_requests_total", "Requests; route is the template", "method", "route", "code"
)
admin_http_request_duration = _histogram(
    "admin_http_request_duration_seconds", "Duration of a request", "method", "route", buckets=RUN
)

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
