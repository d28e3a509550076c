"""Tells the metrics what only the database knows: how long queues are, how large tables, and how services are.

Only the leader asks, so the fleet pays once; and it never spends more than a fiftieth of its time on it.
"""

from __future__ import annotations

import time

from riverrun.store import gauges, registry
from riverrun.store.gauges import QueueGauges, ServerGauges
from riverrun.store.leader import Pulse
from riverrun.store.registry import RegisteredHandler
from riverrun.telemetry import metrics
from riverrun_scheduler.term import Term

QUEUES_SECONDS, SERVER_SECONDS, SERVICES_SECONDS = 10.0, 60.0, 5.0
SHARE = 50

OF_QUEUES = (metrics.queue_jobs, metrics.queue_oldest_job_age, metrics.queue_paused, metrics.queue_served)
OF_SERVICES = (metrics.handler_up, metrics.handler_breaker_open)
OF_TABLES = (metrics.table_rows, metrics.table_bytes, metrics.table_dead_rows)


class Gauges:
    """Measures during one term."""

    def __init__(self, term: Term) -> None:
        self._term = term
        self._measures = (
            (QUEUES_SECONDS, self._measure_queues),
            (SERVER_SECONDS, self._measure_server),
            (SERVICES_SECONDS, self._measure_services),
        )
        self._due = [time.monotonic()] * len(self._measures)

    async def step(self, pulse: Pulse) -> bool:  # noqa: ARG002 - the database's clock decides within the statements
        """Measure the queues, the database server or the services, when it is time to."""
        started = time.monotonic()
        for position, (every, measure) in enumerate(self._measures):
            if started >= self._due[position]:
                try:
                    await measure()
                finally:  # also what failed waits, or it would keep the others from their turn
                    self._due[position] = _next(started, every)
                break
        return False

    async def _measure_queues(self) -> None:
        _show_queues(await self._term.run(gauges.queues()))

    async def _measure_server(self) -> None:
        _show_server(await self._term.run(gauges.server()))

    async def _measure_services(self) -> None:
        _show_services(await self._term.run(registry.handlers()))

    def clear(self) -> None:
        """Take everything that was shown out of the metrics."""
        for gauge in (*OF_QUEUES, *OF_SERVICES, *OF_TABLES):
            gauge.clear()
        metrics.pg_notification_queue.set(0)


def _show_queues(queues: list[QueueGauges]) -> None:
    for gauge in OF_QUEUES:
        gauge.clear()
    for queue in queues:
        for state, jobs in queue.jobs.items():
            metrics.queue_jobs.labels(queue=queue.queue, state=state).set(jobs)
        metrics.queue_oldest_job_age.labels(queue=queue.queue).set(queue.oldest_seconds)
        metrics.queue_paused.labels(queue=queue.queue).set(queue.paused)
        metrics.queue_served.labels(queue=queue.queue).set(queue.served)


def _show_services(handlers: list[RegisteredHandler]) -> None:
    for gauge in OF_SERVICES:
        gauge.clear()
    services = [handler for handler in handlers if handler.registration.handler_type != "local"]
    for handler in services[: metrics.DISTINCT_LABELS]:
        well = handler.health.breaker == "closed"
        metrics.handler_breaker_open.labels(kind=handler.kind).set(not well)
        metrics.handler_up.labels(kind=handler.kind).set(well and not handler.health.misconfigured)


def _show_server(server: ServerGauges) -> None:
    for table in server.tables:
        metrics.table_rows.labels(table=table.table).set(table.rows)
        metrics.table_bytes.labels(table=table.table).set(table.bytes)
        metrics.table_dead_rows.labels(table=table.table).set(table.dead_rows)
    metrics.pg_notification_queue.set(server.notification_queue)


def _next(started: float, interval: float) -> float:
    """Return when to measure again: later when measuring took long."""
    now = time.monotonic()
    return max(started + interval, now + SHARE * (now - started))
