"""Every metric, declared once.

metrics.job_attempts.labels(queue="mail", kind="email", outcome="completed").inc()
"""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
"""Upper bounds in seconds; those of the columns of riverrun_minute too, so other bounds need a migration."""
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
jobs_quarantined = _counter("jobs_quarantined_total", "Jobs given up because they crash their process", "queue", "kind")
kinds_paused = _counter("kinds_paused_total", "Kinds paused because many of their jobs crash their process", "kind")
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
executor_abandoned = _gauge(
    "executor_abandoned_attempts", "Attempts that ignore that they are over and keep their slot", "queue"
)
process_silences = _counter("process_silences_total", "Times a process stopped answering", "role", "name")
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
handler_breaker_transitions = _counter(
    "handler_breaker_transitions_total", "Changes of breakers; to: closed, open, half_open", "kind", "to"
)

# The scheduler; those of the whole database are set by the leader alone
leader = _gauge("leader", "1 on the host whose scheduler leads")
schedule_runs = _counter(
    "schedule_runs_total",
    "Ticks of a schedule; result: enqueued, duplicate, skipped, failed; postponed ones are tried again",
    "schedule",
    "result",
)
schedule_lag = _gauge("schedule_lag_seconds", "How late the last tick was enqueued", "schedule")
schedule_next_run = _gauge("schedule_next_run_timestamp_seconds", "When the next tick is due", "schedule")
queue_jobs = _gauge("queue_jobs", "Jobs of a queue in an unfinished state", "queue", "state")
queue_oldest_job_age = _gauge("queue_oldest_job_age_seconds", "Age of the oldest job that is due", "queue")
queue_paused = _gauge("queue_paused", "1 while the queue is paused", "queue")
queue_served = _gauge("queue_served", "1 while some executor has slots for the queue", "queue")
handler_up = _gauge("handler_up", "1 while the service of a handler works as far as is known", "kind")
handler_breaker_open = _gauge("handler_breaker_open", "1 while the service of a handler is left alone", "kind")
table_rows = _gauge("table_rows_estimate", "Rows of a table as the planner estimates them", "table")
table_bytes = _gauge("table_bytes", "Size of a table with its indexes", "table")
table_dead_rows = _gauge("table_dead_rows", "Rows that wait for VACUUM", "table")
pg_notification_queue = _gauge("pg_notification_queue_ratio", "Filled part of PostgreSQL's notification queue")
oldest_xmin_age = _gauge(
    "oldest_xmin_age_seconds", "Age of the oldest transaction, prepared one, or slot that holds VACUUM back"
)

# Every connection
During = Literal["claim", "control", "finalize", "lease", "election", "upkeep", "connect", "request"]
"""What is done with a connection; connect and request are the admin process's."""

_db_errors = _counter("db_errors_total", "Failed statements and connections, by what they were for", "during")


def db_failed(during: During) -> None:
    """Count a statement or a connection that has failed."""
    _db_errors.labels(during=during).inc()


# The admin process
admin_http_requests = _counter(
    "admin_http_requests_total", "Requests; route is the template", "method", "route", "code"
)
admin_http_request_duration = _histogram(
    "admin_http_request_duration_seconds", "Duration of a request", "method", "route", buckets=RUN
)
