"""Writes the page on scale from the results of one run and nothing else: no figure in it is typed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Results = Mapping[str, Any]

_WAYS = ("first", "deep", "newest", "oldest", "count")
_COMMAND = "PYTHONPATH=tests .venv/bin/python -m bench.scale --output docs"


def document(results: Results) -> str:
    """Return the page as Markdown."""
    sections = (_head, _path, _lists, _statements, _pages, _paint, _crowd)
    return "\n\n".join(part for part in (section(results) for section in sections) if part) + "\n"


def _head(results: Results) -> str:
    machine, postgres = results["machine"], results["postgresql"]
    others = [share for share in results["others"].values() if share is not None] or [0.0]
    return (
        "# Scale\n\n"
        f"What ten million jobs change. Written on {results['on']} by `{_COMMAND}` (`make bench-scale`) from what it "
        "measured; nothing here is typed by hand.\n\n"
        f"{machine['cores']} cores ({machine['cpu']}), shared by the database and its clients. {machine['system']}, "
        f"Python {machine['python']}, PostgreSQL {postgres['version']} with `shared_buffers` "
        f"{postgres['shared_buffers']}, otherwise as it comes. The jobs are those of `queuectl bench seed`: of a "
        "hundred 83 are completed, 10 available, 5 discarded or cancelled, and 2 in the other states. Figures are "
        "milliseconds, the median of some repeats and, in brackets, the highest. Others used "
        f"{min(others):.0%} to {max(others):.0%} of the processors meanwhile, part by part."
    )


def _path(results: Results) -> str:
    measured = results.get("path", {})
    if not measured:
        return ""
    sizes = [measured[key] for key in sorted(measured, key=int)]
    finished = ", ".join(f"{size['finished']:,}" for size in sizes)
    head = ("100 jobs", "waiting", *(f"{way}, ms" for way in _STATES), *_WORK.values())
    rows = [_step(name, size) for name in sizes[0]["cold"] for size in sizes]
    return (
        "## The way of a job\n\n"
        "One statement for a hundred jobs each, with its commit, on sessions as executors and the leader have "
        f"them, beside {finished} finished jobs and two hundred that run. *Warm*: the same was done to the "
        "same rows a moment ago and undone. *Cold*: they were last touched before the last checkpoint, as "
        "those of jobs that have waited for long. *Worn*: cold, and VACUUM has left room for one row on "
        "thousands of pages, as where jobs anywhere in the table were changed. Beside the time stands what "
        "the server did, warm / cold / worn: pages that it looked at, each as often as it did; those of them "
        "that were not in its memory; pages that it wrote whole to the log, because it was their first change "
        "since a checkpoint (`full_page_writes`); and all that it wrote to the log.\n\n"
        + _table(head, rows)
        + f"\n\n{_PHYSICS}\n\n"
        + _promoted(sizes)
    )


_STATES = ("warm", "cold", "worn")
_WORK = {
    "touched": "pages looked at", "read": "not in memory", "images": "written whole", "log_kb": "log, KB",
}  # fmt: skip
_PHYSICS = (
    "What a statement looks at does not grow with the number of jobs, nor, but for whole pages, does what it writes; "
    "`tests/integration/test_scale.py` counts the pages as well, so that no change makes them more. What can grow is "
    "on how many pages the same rows lie. In a small table a hundred jobs share pages that other jobs have brought to "
    "memory and to the log already. In a large one each may lie on a page of its own, which is read and, once after "
    "each checkpoint, written whole to the log; where VACUUM has left room here and there, so does each row that is "
    "written. `wal_compression`, more `shared_buffers` and checkpoints that are farther apart make that cheaper."
)


def _step(name: str, size: Mapping[str, Any]) -> tuple[str, ...]:
    found = [size[state][name] for state in _STATES]
    return (
        name,
        f"{size['waiting']:,}",
        *(f"{each['milliseconds']:g} ({each['highest']:g})" for each in found),
        *(" / ".join(f"{each[figure]:,.0f}" for each in found) for figure in _WORK),
    )


def _promoted(sizes: Sequence[Mapping[str, Any]]) -> str:
    head = ("jobs that become available, a second", *(f"{size['waiting']:,} waiting" for size in sizes))
    described = {
        "together": "enqueued one after another for the same time",
        "apart": "enqueued in the course of a week, each for a time of its own",
    }
    rows = [(text, *(_number(size["promoted_per_second"][name]) for size in sizes)) for name, text in described.items()]
    return (
        "When 20,000 jobs are due at once, the leader promotes them by the two thousand, first those that lie next to "
        "each other in the table, then those that lie anywhere in it:\n\n" + _table(head, rows)
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _lists(results: Results) -> str:
    measured = results.get("lists", {})
    if not measured:
        return ""
    rows = [
        (f"`{line}`" if line else "everything", *(_spread(ways.get(way)) for way in _WAYS))
        for line, ways in measured.items()
    ]
    return (
        "## Lists\n\n"
        "One statement for a page of 50, as `GET /admin/queue/jobs?filter=…` and the Jobs page run it: the first "
        "page, the one after 100,000 jobs, the first by id in either direction, and the count beside it. A filter "
        "that finds nothing costs the most; it looks at 10,000 jobs, and the search goes on from there until the page "
        "is full or a tenth of a second is over.\n\n"
        + _table(("filter", "first page", "far down", "`newest`", "`oldest`", "count"), rows)
    )


def _statements(results: Results) -> str:
    rows = [(name, _spread(found)) for name, found in results.get("statements", {}).items()]
    if not rows:
        return ""
    return (
        "## What the dashboard and `/metrics` ask\n\n"
        "All statements of one question together. Readers share an answer for a second or more; `/metrics` itself "
        "asks nothing, the leader measures every ten seconds. Charts are drawn from the figures of 20 kinds in every "
        "minute of three days and every hour of 90. Two questions are asked once more after a rest: memory that "
        "nothing has touched for seconds may be slow to come back, above all where a virtual machine shares it with "
        "others. Then the server reads and faults no more than before, but takes several times as long.\n\n"
        + _table(("question", "ms"), rows)
    )


def _pages(results: Results) -> str:
    rows = [
        (f"`{path}`", *(_answer(found.get(kind)) for kind in ("text/html", "application/json")))
        for path, found in results.get("pages", {}).items()
        if any(answer["status"] == 200 for answer in found.values())  # the others need a name or an id
    ]
    if not rows:
        return ""
    return (
        "## Pages and answers\n\n"
        "From the request to the last byte, one right after the other, each made anew by an admin process that keeps "
        "no answer for the next reader as it usually does.\n\n" + _table(("address", "page", "JSON"), rows)
    )


def _paint(results: Results) -> str:
    rows = [
        (f"`{path}`", _spread(found), f"{found['bytes'] / 1000:.0f} KB")
        for path, found in results.get("paint", {}).items()
    ]
    if not rows:
        return ""
    return (
        "## First paint\n\n"
        "First contentful paint in headless Chromium on the same cores, by a browser that has nothing of the site "
        "yet, and all that it loads until then.\n\n" + _table(("page", "ms", "loaded"), rows)
    )


_CROWDS = {
    "readers": "200 streams of events",
    "connections": "10,000 connections that come and rest, of which 2,000 are taken in",
    "abuse": "100 senders that never finish, and 50 requests a second that are refused",
}


_CROWD_HEAD = (
    "crowd", "jobs/s beside nobody", "beside the crowd", "to nobody", "to a server that does nothing", "of each",
    "admin process, of a core", "crowd, of a core", "admin MiB",
)  # fmt: skip


def _crowd(results: Results) -> str:
    measured = results.get("crowd")
    if measured is None:
        return ""
    normal, crowds = measured["normal"], measured["crowds"]
    statuses = crowds["abuse"]["statuses"]
    answered = ", ".join(f"{times:,} times {status}" for status, times in statuses.items())
    return (
        "## Crowds\n\n"
        f"With {normal['readers']} streams of events open and {normal['jobs_per_second']} jobs a second enqueued, the "
        f"admin process uses {normal['cores']:.1%} of one core.\n\n"
        "30,000 jobs that do nothing are drained by one executor, again and again: beside nobody, beside a crowd at "
        "the admin process, and beside the same crowd at a server that does nothing, which costs what the crowd "
        "itself and its connections cost on the same cores. The three take turns of a second, in every order. The "
        "ratios are of turns that followed each other, the middle of so many as are said, with the range in which it "
        "lies with a probability of 95 %; what the admin process does to the jobs is the second one.\n\n"
        + _table(
            _CROWD_HEAD,
            [_beside(text, crowds[name]) for name, text in _CROWDS.items() if name in crowds],
        )
        + "\n\n2,000 jobs a second are enqueued, twenty at a time, for two seconds in some of these turns. "
        "Milliseconds from the moment when a job was to be enqueued to the first line of its handler; the median of "
        "the turns, and in brackets the lowest and the highest.\n\n"
        + _table(
            ("crowd", *(f"{percent} {beside}" for percent in ("p50", "p99") for beside in _BESIDE.values())),
            [_waited(text, crowds[name]["waits_ms"]) for name, text in _CROWDS.items() if name in crowds],
        )
        + "\n\nThe abuse: bodies that are deep or too large, requests of another site, forged cursors, filters made "
        "to take long, strange host names, and a token where none is asked for (200). It was answered with status: "
        f"{answered}."
    )


_BESIDE = {"nobody": "beside nobody", "nothing": "crowd elsewhere", "admin": "crowd at the admin process"}


def _beside(text: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    rates, memory = found["jobs_per_second"], found["memory_mb"]
    return (
        text,
        f"{rates['nobody']:,}",
        f"{rates['admin']:,}",
        _interval(found["to_nobody"]),
        _interval(found["to_nothing"]),
        str(found["pairs"]),
        f"{found['cores']['admin']:.1%}",
        f"{found['cores']['crowd']:.1%}",
        f"{memory['before']:.0f} → {memory['after']:.0f}",
    )


def _interval(found: Mapping[str, float]) -> str:
    return f"{found['median']:.3f} ({found['lowest']:.3f}–{found['highest']:.3f})"


def _waited(text: str, waits: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        text,
        *(
            f"{spread['median']:g} ({spread['lowest']:g}–{spread['highest']:g})"
            for percent in ("p50", "p99")
            for spread in (waits[where][percent] for where in _BESIDE)
        ),
    )


def _spread(found: Mapping[str, float] | None) -> str:
    return "–" if found is None else f"{found['median']:g} ({found['highest']:g})"


def _answer(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    told = "" if found["status"] == 200 else f", status {found['status']}"
    return f"{_spread(found)}, {found['bytes'] / 1000:.0f} KB{told}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    marks = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, marks, *rows))
