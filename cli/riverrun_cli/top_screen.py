"""What ``queuectl top`` asks the database for, and how it draws the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from riverrun.store import failures, figures, statistics
from riverrun.store.failures import Failure
from riverrun.store.figures import PERIODS, KindFigures, Spark
from riverrun.store.listing import Count
from riverrun.store.statistics import Statistics
from riverrun_cli.output import cell
from riverrun_cli.top import ROWS, TABS, View

if TYPE_CHECKING:
    from riverrun import Client

_HOUR = PERIODS[1]
_BARS = " ▁▂▃▄▅▆▇█"
_SPARK_MINUTES = 30

Rows = tuple[Sequence[str], Sequence[Sequence[object]]]
"""The names of the columns, and the rows."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at the database has found."""

    at: datetime
    statistics: Statistics
    kinds: Sequence[KindFigures]
    sparks: Mapping[str, Spark]
    failures: Sequence[Failure]


def look(client: Client) -> Seen:
    """Return the present state."""
    now = datetime.now(UTC)
    found, _ = client.run(failures.groups())
    return Seen(
        at=now,
        statistics=client.run(statistics.statistics()),
        kinds=client.run(figures.kinds(_HOUR, now)),
        sparks=client.run(figures.sparks(now, minutes=_SPARK_MINUTES)),
        failures=found,
    )


def screen(seen: Seen, view: View) -> RenderableType:
    """Return the screen: the figures of the fleet, the tabs, and the rows of the tab that is shown."""
    columns, rows = _ROWS[TABS[view.tab]](seen)
    view.first = min(view.first, max(0, len(rows) - 1))
    table = Table(*columns, box=None, pad_edge=False, collapse_padding=True, expand=True)
    for row in rows[view.first : view.first + ROWS]:
        table.add_row(*(Text(cell(value), overflow="ellipsis", no_wrap=True) for value in row))
    return Group(_head(seen, view), table)


def _head(seen: Seen, view: View) -> Text:
    queues, servers = seen.statistics.queues, seen.statistics.servers
    states = seen.statistics.states
    text = Text()
    text.append(f"riverrun  {seen.at:%H:%M:%S} UTC{'  held' if view.held else ''}\n", "bold")
    text.append(f"{sum(queue.completed_1m for queue in queues):,}/min done  ")
    text.append(f"{sum(queue.failed_1m for queue in queues):,}/min failed  ")
    text.append(f"{sum(queue.running.value for queue in queues)}/{sum(queue.slots for queue in queues)} slots  ")
    text.append(f"{sum(server.alive for server in servers)}/{len(servers)} servers  leader {_leader(seen)}\n")
    text.append("  ".join(f"{state} {_count(number)}" for state, number in states.items()) + "\n\n", "dim")
    for place, name in enumerate(TABS):
        text.append(f" {place + 1} {name} ", "reverse" if place == view.tab else "")
    return text


def _leader(seen: Seen) -> str:
    return cell(seen.statistics.leader or "nobody")


def _queues(seen: Seen) -> Rows:
    rows: list[Sequence[object]] = []
    for queue in sorted(seen.statistics.queues, key=lambda queue: -(queue.oldest_age_s or 0)):
        mark = " paused" if queue.paused_at else "" if queue.executors else " no executor"
        numbers = (_count(queue.available), _seconds(queue.oldest_age_s), _count(queue.running), queue.slots)
        spark = _spark(seen.sparks.get(queue.name))
        rows.append((f"{queue.name}{mark}", *numbers, queue.completed_1m, queue.failed_1m, spark))
    return ("queue", "available", "oldest", "running", "slots", "done/min", "failed/min", "last 30 min"), rows


def _kinds(seen: Seen) -> Rows:
    rows: list[Sequence[object]] = []
    for kind in seen.kinds:
        times = (_seconds(kind.run_p50_s), _seconds(kind.run_p95_s), _seconds(kind.run_seconds))
        rows.append((kind.kind, f"{kind.completed:,}", f"{kind.failed_share:.1%}", *times))
    return ("kind, last hour", "done", "failed", "p50", "p95", "time spent"), rows


def _errors(seen: Seen) -> Rows:
    rows: list[Sequence[object]] = []
    for failure in seen.failures:
        counts = (failure.hour, failure.day, failure.discarded, failure.retryable)
        rows.append((failure.message, failure.kind, *counts, failure.newest))
    return ("error", "kind", "1 h", "24 h", "discarded", "retryable", "newest job"), rows


def _servers(seen: Seen) -> Rows:
    rows: list[Sequence[object]] = []
    for server in seen.statistics.servers:
        state = f"{'up' if server.alive else 'silent'}{', leads' if server.leads else ''}"
        age = _seconds(max(0.0, (seen.at - server.heartbeat_at).total_seconds()))
        rows.append((server.server_id, state, server.executors, server.slots, age, server.version))
    return ("server", "state", "executors", "slots", "heartbeat", "version"), rows


_ROWS: Mapping[str, Callable[[Seen], Rows]] = {
    "queues": _queues,
    "kinds": _kinds,
    "errors": _errors,
    "servers": _servers,
}


def _count(number: Count) -> str:
    return f"{number.value:,}{'+' if number.relation == 'gte' else ''}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if value >= 2 * size:
            return f"{value / size:.0f} {unit}"
    return f"{value * 1000:.0f} ms"


def _spark(spark: Spark | None) -> str:
    if spark is None:
        return ""
    totals = [done + failed for done, failed in zip(spark.completed, spark.failed, strict=True)]
    most = max(totals) or 1
    return "".join(_BARS[round(total / most * (len(_BARS) - 1))] for total in totals)
