"""Writes the page on scale from the results of one run and nothing else: no figure in it is typed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
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
    head = ("100 jobs", *(f"{size['waiting']:,} waiting, {size['finished']:,} finished" for size in sizes))
    names = list(sizes[0]["milliseconds"])
    rows = [(name, *(_spread(size["milliseconds"][name]) for size in sizes)) for name in names]
    return (
        "## The way of a job\n\n"
        "One statement for a hundred jobs each, with its commit, on sessions as executors and the leader have them. "
        "Two hundred other jobs run. What these statements read is counted in pages by "
        "`tests/integration/test_scale.py`, so that no change makes them grow with the table; but in a large one "
        "the rows of a hundred jobs lie on a hundred pages, which are in no cache.\n\n" + _table(head, rows)
    )


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
        "One statement for a page of 50, as `GET /admin/queue/jobs?filter=…` and the Jobs page run it: the first page, "
        "the one after 100,000 jobs, the first by id in either direction, and the count beside it. A filter that finds "
        "nothing costs the most; it looks at 10,000 jobs, and the search goes on from there until the page is full or "
        "a tenth of a second is over.\n\n"
        + _table(("filter", "first page", "far down", "`newest`", "`oldest`", "count"), rows)
    )


def _statements(results: Results) -> str:
    rows = [(name, _spread(found)) for name, found in results.get("statements", {}).items()]
    if not rows:
        return ""
    return (
        "## What the dashboard and `/metrics` ask\n\n"
        "All statements of one question together. Readers share an answer for a second or more; `/metrics` itself asks "
        "nothing, the leader measures every ten seconds.\n\n" + _table(("question", "ms"), rows)
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
        "From the request to the last byte, over one connection each, made anew and not from what is kept.\n\n"
        + _table(("address", "page", "JSON"), rows)
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
        "First contentful paint in headless Chromium on the same cores, by a browser that has nothing of the site yet, "
        "and all that it loads until then.\n\n" + _table(("page", "ms", "loaded"), rows)
    )


def _crowd(results: Results) -> str:
    measured = results.get("crowd")
    if measured is None:
        return ""
    described = {
        "quiet": "nobody",
        "readers": "200 streams of events",
        "connections": "10,000 connections at rest, of which 2,000 are taken in",
        "abuse": "100 senders that never finish, and 50 requests a second that are refused",
    }
    rows = [
        (
            described[name],
            f"{median(rates):,.0f} ({min(rates):,}–{max(rates):,})",
            f"{measured['ratio'].get(name, 1):.2f}",
            f"{measured['cores'][name]:.1%}" if name in measured["cores"] else "–",
            f"{measured['memory_mb'][name]:.0f}",
        )
        for name, rates in measured["jobs_per_second"].items()
    ]
    normal, statuses = measured["normal"], measured["statuses"]["abuse"]
    head = ("meanwhile at the admin process", "jobs/s", "ratio", "its processor time, of one core", "its MiB")
    answered = ", ".join(f"{times:,} times {status}" for status, times in statuses.items() if status != "0")
    return (
        "## Crowds\n\n"
        f"With {normal['readers']} streams of events open and {normal['jobs_per_second']} jobs a second enqueued, the "
        f"admin process uses {normal['cores']:.1%} of one core.\n\n"
        "60,000 jobs that do nothing are drained by one executor, in turns with nobody and with a crowd there, on the "
        "same cores as the database, the admin process and the crowd itself. A ratio within the spread of the jobs a "
        "second says no more than that the crowd made them no slower.\n\n"
        + _table(head, rows)
        + "\n\nThe abuse: bodies that are deep or too large, requests of another site, forged cursors, filters made to "
        "take long, strange host names, and a token where none is asked for (200). It was answered with status: "
        f"{answered}."
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
