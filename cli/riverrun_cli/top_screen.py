"""What ``queuectl top`` asks the database for, and how it draws the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from riverrun.job import JobState
from riverrun.store import failures, figures, statistics
from riverrun.store.failures import Failure
from riverrun.store.figures import PERIODS, KindFigures, Spark
from riverrun.store.listing import Count
from riverrun.store.statistics import Statistics
from riverrun_cli.language import say
from riverrun_cli.output import cell
from riverrun_cli.top import TABS, View

if TYPE_CHECKING:
    from riverrun import Client

HEAD = 7
"""Lines above the rows of a tab."""

_HOUR = PERIODS[1]
_BARS = " ▁▂▃▄▅▆▇█"
_SPARK_MINUTES = 30
_WIDE = 100
"""From so many columns on there is room for a chart."""
_STATES = (
    (JobState.AVAILABLE, JobState.RUNNING, JobState.SCHEDULED, JobState.RETRYABLE),
    (JobState.PENDING, JobState.COMPLETED, JobState.CANCELLED, JobState.DISCARDED),
)
"""Two lines of them, each short enough for 80 columns."""


class Column(NamedTuple):
    """The name of a column; a number stands at its right end."""

    name: str
    is_number: bool = False


Rows = tuple[Sequence[Column], Sequence[Sequence[object]]]
"""The columns of a tab, and its rows."""


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


def screen(seen: Seen, view: View, columns: int, lines: int) -> RenderableType:
    """Return the screen: the figures of the fleet, the tabs, and what rows of the open one there is room for."""
    shown, rows = _ROWS[TABS[view.tab]](seen, columns)
    view.first = min(view.first, max(0, len(rows) - 1))
    table = Table(box=None, pad_edge=False)
    for place, (name, is_number) in enumerate(shown):
        # Where there is no room for all, the first column gives way.
        table.add_column(name, justify="right" if is_number else "left", no_wrap=place > 0)
    for row in rows[view.first : view.first + max(1, lines - HEAD)]:
        table.add_row(*(Text(cell(value), overflow="ellipsis", no_wrap=True) for value in row))
    return Group(_head(seen, view), table)


def _head(seen: Seen, view: View) -> Text:
    queues, servers = seen.statistics.queues, seen.statistics.servers
    slots = f"{sum(queue.running.value for queue in queues):,}/{sum(queue.slots for queue in queues):,}"
    figures_of_all = (
        say(f"{sum(queue.completed_1m for queue in queues):,}/min done"),
        say(f"{sum(queue.failed_1m for queue in queues):,}/min failed"),
        say(f"{slots} slots"),
        say(f"{sum(server.alive for server in servers)}/{len(servers)} hosts"),
        say(f"leader {_leader(seen)}"),
    )
    text = Text()
    text.append(f"riverrun  {seen.at:%H:%M:%S} UTC{'  ' + say('held') if view.held else ''}\n", "bold")
    text.append("  ".join(figures_of_all) + "\n")
    counts = seen.statistics.states
    for states in _STATES:
        text.append("  ".join(f"{say(state)} {_count(counts[state])}" for state in states) + "\n", "dim")
    text.append("\n")
    for place, name in enumerate((say("queues"), say("kinds"), say("errors"), say("hosts"))):
        text.append(f" {place + 1} {name} ", "reverse" if place == view.tab else "")
    if view.hears_keys:
        text.append("  " + say("j k rows  p hold  q quit"), "dim")
    return text


def _leader(seen: Seen) -> str:
    return cell(seen.statistics.leader or say("nobody"))


def _queues(seen: Seen, columns: int) -> Rows:
    rows: list[Sequence[object]] = []
    for queue in sorted(seen.statistics.queues, key=lambda queue: -(queue.oldest_age_s or 0)):
        mark = say("paused") if queue.paused_at else "" if queue.executors else say("no executor")
        numbers = (_count(queue.available), _seconds(queue.oldest_age_s), _count(queue.running), queue.slots)
        ended = (f"{queue.completed_1m:,}", f"{queue.failed_1m:,}")
        rows.append((f"{queue.name} {mark}".strip(), *numbers, *ended, _spark(seen.sparks.get(queue.name))))
    names = (say("available"), say("oldest"), say("running"), say("slots"), say("done/min"), say("failed/min"))
    shown = [Column(say("queue")), *(Column(name, is_number=True) for name in names), Column(say("last 30 min"))]
    if columns < _WIDE:
        return shown[:-1], [row[:-1] for row in rows]
    return shown, rows


def _kinds(seen: Seen, _columns: int) -> Rows:
    rows: list[Sequence[object]] = []
    for kind in seen.kinds:
        times = (_seconds(kind.run_p50_s), _seconds(kind.run_p95_s), _seconds(kind.run_seconds))
        rows.append((kind.kind, f"{kind.completed:,}", f"{kind.failed_share:.1%}", *times))
    names = (say("done"), say("failed"), "p50", "p95", say("time spent"))
    return (Column(say("kind, last hour")), *(Column(name, is_number=True) for name in names)), rows


def _errors(seen: Seen, _columns: int) -> Rows:
    rows: list[Sequence[object]] = []
    for failure in seen.failures:
        counts = (failure.hour, failure.day, failure.discarded, failure.retryable)
        rows.append((failure.message, failure.kind, *counts, failure.newest))
    names = (say("1 h"), say("24 h"), say("discarded"), say("retryable"), say("newest job"))
    return (Column(say("error")), Column(say("kind")), *(Column(name, is_number=True) for name in names)), rows


def _servers(seen: Seen, _columns: int) -> Rows:
    rows: list[Sequence[object]] = []
    for server in seen.statistics.servers:
        state = say("up") if server.alive else say("silent")
        leads = say(", leads") if server.leads else ""
        age = _seconds(max(0.0, (seen.at - server.heartbeat_at).total_seconds()))
        rows.append((server.server_id, f"{state}{leads}", server.executors, server.slots, age, server.version))
    names = (say("executors"), say("slots"), say("heartbeat"))
    numbers = (Column(name, is_number=True) for name in names)
    return (Column(say("host")), Column(say("state")), *numbers, Column(say("version"))), rows


_ROWS: Mapping[str, Callable[[Seen, int], Rows]] = {
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
    for size, unit in ((86_400, say("d")), (3600, say("h")), (60, say("min")), (1, say("s"))):
        if value >= 2 * size:
            return f"{value / size:.0f} {unit}"
    return f"{value * 1000:.0f} {say('ms')}"


def _spark(spark: Spark | None) -> str:
    if spark is None:
        return ""
    totals = [done + failed for done, failed in zip(spark.completed, spark.failed, strict=True)]
    most = max(totals) or 1
    return "".join(_BARS[round(total / most * (len(_BARS) - 1))] for total in totals)
