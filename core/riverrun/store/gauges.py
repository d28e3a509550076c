"""Measures what no process can know from itself: queues and tables, with a bound on what each question costs."""

from __future__ import annotations

from dataclasses import dataclass

from riverrun.database.statements import Query, Steps
from riverrun.job import LIVE

CAP = 10_001
"""Where counting stops: a larger number means "more than 10,000"."""

LIVE_STATES = tuple(sorted(map(str, LIVE)))
TABLES = ("river_job", "river_queue", "riverrun_schedule_tick", "riverrun_minute", "riverrun_hour")


@dataclass(frozen=True, slots=True)
class QueueGauges:
    """One queue: jobs by live state (capped), age in seconds of the oldest due job, whether it is paused and served."""

    queue: str
    jobs: dict[str, int]
    oldest_seconds: float
    paused: bool
    served: bool


@dataclass(frozen=True, slots=True)
class TableGauges:
    """One table: its rows as the planner estimates them, its bytes with indexes, and its dead rows."""

    table: str
    rows: float
    bytes: float
    dead_rows: float


@dataclass(frozen=True, slots=True)
class ServerGauges:
    """The tables, and the filled part of the notification queue."""

    tables: tuple[TableGauges, ...]
    notification_queue: float


def queues() -> Steps[list[QueueGauges]]:
    """Measure up to 200 known queues."""
    rows = yield Query("queue_gauges", {"states": list(LIVE_STATES), "cap": CAP})
    return [QueueGauges(row[0], dict(zip(LIVE_STATES, row[1], strict=True)), *row[2:]) for row in rows]


def server() -> Steps[ServerGauges]:
    """Measure the tables that grow and the state of the database server."""
    rows = yield Query("table_gauges", {"tables": list(TABLES)})
    tables = tuple(TableGauges(*row[:4]) for row in rows)
    return ServerGauges(tables, rows[0][4] if rows else 0.0)
