"""Writes the page on performance from the results of one run and nothing else: no figure in it is typed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from riverrun_cli.bench.plot import Bar, bars, figure
from riverrun_cli.bench.spread import Spread

Results = Mapping[str, Any]
OURS = "riverrun"

_RATES = {
    "bulk": "Bulk enqueue",
    "single": "Single enqueue",
    "drain_1": "Drain, 1 process",
    "drain_2": "Drain, 2 processes",
    "sustained": "Enqueue and drain at once",
}
_HORIZONS = {"free": "free horizon", "pinned": "pinned horizon"}
_HANDLERS = {
    "sleep": "coroutine that waits 10 ms, 200 slots",
    "thread": "plain function that blocks 1 ms, 50 threads",
    "http": "HTTP service on the loopback address, 200 slots",
}


def document(results: Results) -> str:
    """Return the page as Markdown."""
    parts = (
        _head(results),
        _rates(results),
        _latency(results),
        _horizon(results),
        _costs(results),
        _handlers(results),
        _ceiling(results),
        _conditions(results),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def charts(results: Results) -> dict[str, str]:
    """Return the charts of the page, as SVG by file name."""
    drawn = {}
    for key, title in _RATES.items():
        if rows := _bars(results, key, "jobs_per_second"):
            drawn[f"performance-{key.replace('_', '-')}.svg"] = bars(title, "jobs/s, more is better", rows)
    if rows := _bars(results, "latency", "p50_ms"):
        drawn["performance-latency.svg"] = bars("Enqueue to handler, median job", "ms, less is better", rows)
    return drawn


def _head(results: Results) -> str:
    machine, postgres = results["machine"], results["postgresql"]
    shares = results.get("cpu_shares")
    used = "" if shares is None else (
        f" Meanwhile others used {shares['others']:.0%} of the processors, and {shares['stolen']:.0%} was stolen by "
        "other machines on the same host."
    )  # fmt: skip
    return (
        "# Performance\n\n"
        f"Written by `{results['command']}` on {results['started'][:10]} from the figures of that run; nothing here is "
        "typed by hand.\n\n"
        f"{machine['cores']} cores ({machine['cpu']}), shared by the database, the workers and the load. "
        f"{machine['system']}, Python {machine['python']}, PostgreSQL {postgres['version']}.{used}\n\n"
        f"All systems ran on one server, one after another in turns, {results['repeats']} times each, every time on a "
        "database of its own that already held finished jobs and was vacuumed and analysed. "
        "Figures are medians, with the lowest and highest in brackets. Only ratios within this run mean anything; "
        "differences under 30 % between systems are not established.\n\n"
        "What ten million jobs change stands on the page about [scale](scale.md)."
    )


def _rates(results: Results) -> str:
    sections = []
    for key, title in _RATES.items():
        measured = results["scenarios"].get(key, {})
        if not measured:
            continue
        ours = _median(measured.get(OURS), "jobs_per_second")
        rows = [
            (name, _shown(runs, "jobs_per_second"), _ratio(ours, _median(runs, "jobs_per_second"), name))
            for name, runs in measured.items()
        ]
        image = f"![{title}](images/performance-{key.replace('_', '-')}.svg)"
        table = _table(("system", "jobs/s", "Riverrun is"), rows)
        sections.append(f"## {title}\n\n{_how(key, results)}\n\n{image}\n\n{table}")
    return "\n\n".join(sections)


def _how(key: str, results: Results) -> str:
    sizes = results["sizes"]
    return {
        "bulk": f"{sizes['jobs']:,} jobs, the fastest way that each system documents.",
        "single": f"{sizes['single']:,} jobs, one call after another; each is on disk when its call returns.",
        "drain_1": f"{sizes['jobs']:,} jobs that do nothing, from the first call of a handler to the last row.",
        "drain_2": "The same with two processes.",
        "sustained": f"{sizes['seconds']:g} s of bulk enqueues by one producer while one process works; jobs finished.",
    }[key]


def _latency(results: Results) -> str:
    measured = results["scenarios"].get("latency", {})
    if not measured:
        return ""
    names = ("p50_ms", "p95_ms", "p99_ms")
    ours = _median(measured.get(OURS), "p50_ms")
    rows = [
        (name, *(_shown(runs, column) for column in names), _ratio(_median(runs, "p50_ms"), ours, name, "shorter"))
        for name, runs in measured.items()
    ]
    count = results["sizes"]["latency"]
    return (
        f"## Latency\n\nFrom just before the enqueue call to the first line of the handler, one job at a time, on one "
        f"idle worker process; {count} jobs, milliseconds.\n\n![Latency](images/performance-latency.svg)\n\n"
        + _table(("system", "p50", "p95", "p99", "Riverrun's p50 is"), rows)
        + _enqueue_alone(results)
    )


def _enqueue_alone(results: Results) -> str:
    alone = results.get("enqueue_alone")
    if not alone:
        return ""
    return (
        "\n\nThe call alone that enqueues such a job, where nobody works, takes "
        f"{_shown(alone, 'p50_ms')} ms (p50): it returns when the job is on disk, and PostgreSQL tells nobody of a job "
        "before that. Only the rest is the way to the handler."
    )


def _horizon(results: Results) -> str:
    free, pinned = (results["scenarios"].get(key, {}) for key in _HORIZONS)
    names = [name for name in free if name in pinned]
    if not names:
        return ""
    rows = []
    for name in names:
        before, after = (_median(measured[name], "jobs_per_second") for measured in (free, pinned))
        kept = f"{after / before:.2f}" if before and after else "–"
        wait = _shown(pinned[name], "latency_p50_ms")
        rows.append((name, _shown(free[name], "jobs_per_second"), _shown(pinned[name], "jobs_per_second"), kept, wait))
    sizes = results["sizes"]
    return (
        "## A forgotten transaction\n\n"
        f"The last {sizes['jobs']:,} of {sizes['long']:,} jobs, first freely, then while a transaction that was opened "
        "before the load keeps PostgreSQL from removing dead rows; and the latency of single jobs under it.\n\n"
        + _table(("system", "free, jobs/s", "pinned, jobs/s", "kept", "latency p50 pinned, ms"), rows)
    )


def _costs(results: Results) -> str:
    measured = results["scenarios"].get("drain_1", {})
    if not measured:
        return ""
    rows = [
        (
            name,
            _shown(runs, "worker_microseconds_per_job"),
            _shown(runs, "worker_mib_at_first"),
            _shown(runs, "worker_mib"),
        )
        for name, runs in measured.items()
    ]
    memory = results["scenarios"].get("free", {}).get(OURS)
    long = "" if not memory else (
        f"\n\nOver {results['sizes']['long']:,} jobs one executor of Riverrun went from "
        f"{_shown(memory, 'worker_mib_at_first')} to {_shown(memory, 'worker_mib')} MiB."
    )  # fmt: skip
    return (
        "## What a worker process uses\n\nDuring the drain with one process, from its first job on.\n\n"
        + _table(("system", "CPU, µs per job", "MiB at the first job", "MiB at the last"), rows)
        + long
    )


def _handlers(results: Results) -> str:
    rows = [
        (title, _shown(runs, "jobs_per_second"), _shown(runs, "worker_microseconds_per_job"))
        for key, title in _HANDLERS.items()
        if (runs := results["scenarios"].get(key, {}).get(OURS))
    ]
    if not rows:
        return ""
    return (
        "## Handlers that do something\n\nRiverrun, one process; for HTTP the processor time is the service's.\n\n"
        + _table(("handler", "jobs/s", "CPU, µs per job"), rows)
    )


def _ceiling(results: Results) -> str:
    measured = results.get("ceiling", {})
    if not measured:
        return ""
    drains = [_median(results["scenarios"].get(f"drain_{count}", {}).get(OURS), "jobs_per_second") for count in (1, 2)]
    rows = []
    for clients, runs in measured.items():
        top = _median(runs, "jobs_per_second")
        parts = [f"{drain / top:.2f}" if drain and top else "–" for drain in drains]
        used = _shown(runs, "server_microseconds_per_job")
        rows.append(
            (f"pgbench, {clients} client{'s' * (clients != '1')}", _shown(runs, "jobs_per_second"), used, *parts)
        )
    return (
        "## The ceiling\n\nRiverrun's own claim and complete statements on its own table, driven by `pgbench` in "
        "batches of 300: nobody decodes a row or runs a handler.\n\n"
        + _table(("", "jobs/s", "PostgreSQL's CPU, µs per job", "reached with 1 process", "reached with 2"), rows)
        + _bound(results)
    )


def _bound(results: Results) -> str:
    """Say what the processors allow when none of them ever waits."""
    server = _median(results["ceiling"].get("1"), "server_microseconds_per_job")
    worker = _median(results["scenarios"].get("drain_1", {}).get(OURS), "worker_microseconds_per_job")
    cores = results["machine"]["cores"]
    if not server or not worker:
        return ""
    most = cores * 1e6 / (server + worker)
    return (
        f"\n\nA job takes {figure(server)} µs of PostgreSQL's processor time and {figure(worker)} µs of the "
        f"executor's, so {cores} processors that never wait and do nothing else work off {most:,.0f} jobs/s."
    )


def _conditions(results: Results) -> str:
    systems = [
        (name, said["version"], said["configuration"] + _share(said["share"]))
        for name, said in results["systems"].items()
    ]
    settings = ", ".join(f"`{name}` {value}" for name, value in results["postgresql"].items() if name != "version")
    lines = [f"- {name} was left out: {reason}." for name, reason in results["skipped"].items()]
    lines += [f"- {name}, {failure}." for name, failures in results["failures"].items() for failure in failures]
    missing = "\n\nNot measured:\n\n" + "\n".join(lines) if lines else ""
    return (
        "## Conditions\n\n"
        + _table(("system", "release", "configuration: the fastest that its documentation describes"), systems)
        + f"\n\nPostgreSQL: {settings}.{missing}"
    )


def _share(share: float) -> str:
    return "" if share == 1 else f" (given {share:.0%} of the jobs of enqueue and drain)"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    marks = ["---", *("---:" for _ in head[1:])]
    lines = [head, marks, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(runs: Sequence[Mapping[str, float]] | None, name: str) -> str:
    """Return the median, with the lowest and highest when there was more than one run."""
    values = [run[name] for run in runs or () if name in run]
    if not values:
        return "–"
    spread = Spread.of(values)
    if len(values) == 1:
        return figure(spread.median)
    return f"{figure(spread.median)} ({figure(spread.lowest)}–{figure(spread.highest)})"


def _median(runs: Sequence[Mapping[str, float]] | None, name: str) -> float | None:
    values = [run[name] for run in runs or () if name in run]
    return Spread.of(values).median if values else None


def _ratio(more: float | None, less: float | None, name: str, word: str = "") -> str:
    """Say how many times ``more`` is ``less``."""
    if name == OURS or not more or not less:
        return "–"
    return f"{more / less:.2f} × {word}".strip()


def _bars(results: Results, key: str, name: str) -> list[Bar]:
    measured = results["scenarios"].get(key, {})
    return [
        Bar(system, Spread.of([run[name] for run in runs]), ours=system == OURS) for system, runs in measured.items()
    ]
