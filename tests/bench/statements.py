"""How long the database takes for lists and for what the dashboard and ``/metrics`` ask, as clients of it see it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg import Connection

from riverrun import job_query
from riverrun.database.connect import session_dsn
from riverrun.database.statements import Query, Statements, Steps
from riverrun.store import failures, figures, gauges, listing, statistics, words
from riverrun_admin.histories import STEPS_AT_ONCE
from riverrun_cli.bench.spread import Spread

T = TypeVar("T")
Measured = dict[str, Any]

REPEATS = 5
REST_SECONDS = 3.0
DEEP_PAGES = 100
LISTS = (
    "", "state:available", "state:pending", "state:scheduled", "state:retryable", "state:running", "state:completed",
    "state:discarded", "state:completed,discarded,cancelled", "state:available,running",
    "queue:bench", "state:available queue:bench", "state:completed queue:bench", "priority:2",
    "state:available priority:4", "tag:billing", "state:completed tag:billing", "error:timeout",
    "state:discarded error:timeout", "state:completed finalized:<-3d", "state:available created:<-3d",
    "kind:none", "queue:none", "tag:none", "args.to:nobody", "meta.request_id:none", "error:none",
    "state:completed kind:none", "state:completed queue:none", "state:completed tag:none",
    "state:completed args.to:nobody", "state:completed meta.request_id:none", "state:available kind:none",
    "state:available tag:none", "state:available args.to:nobody", "state:discarded error:none",
    "state:retryable error:none", "state:running kind:none", "state:scheduled kind:none",
    "state:completed finalized:<-1000d", "state:available created:<-1000d",
)  # fmt: skip
"""Filters as people write them; those that name ``none`` or ``nobody`` find nothing, which costs the most."""

_SESSION = {"statement_timeout": "60s", "plan_cache_mode": "force_custom_plan"}


def lists(url: str) -> Measured:
    """Return what one statement of each list took: the first page, one far down, and by id in both directions."""
    found: Measured = {}
    with _connected(url) as conn:
        for line in LISTS:
            found[line] = _list(conn, line)
    return found


def _list(conn: Connection[Any], line: str) -> Measured:
    wanted = job_query.parse(line)
    ways: Measured = {"first": measured(conn, lambda: listing.page(wanted, seconds=0))}
    if not any(word in line for word in ("none", "nobody", "1000d")):
        cursor = _deep(conn, wanted)
        if cursor is not None:
            ways["deep"] = measured(conn, lambda: listing.page(wanted, cursor=cursor, seconds=0))
    for order in listing.ORDERS:
        ways[order] = measured(conn, partial(listing.page, wanted, order=order, seconds=0))
    ways["count"] = measured(conn, lambda: listing.count(wanted))
    return ways


def _deep(conn: Connection[Any], wanted: listing.JobFilter) -> str | None:
    """Return where one comes to who leafs through a hundred pages of a thousand jobs."""
    cursor = None
    for _ in range(DEEP_PAGES):
        page = Statements().run_sync(conn, listing.page(wanted, limit=listing.LARGEST_PAGE, cursor=cursor))
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    return cursor


def shown(url: str) -> Measured:
    """Return what the statements took that the dashboard and the gauges of ``/metrics`` are made of."""
    now = datetime.now(UTC)
    questions: dict[str, Callable[[], Steps[Any]]] = {
        "overview: states, queues, servers": statistics.statistics,
        "states of one queue": lambda: listing.count_states(queues=["bench"]),
        "failures by what went wrong": failures.groups,
        "metrics: queues": gauges.queues,
        "metrics: tables": gauges.server,
        "words that filters suggest": words.known,
        "sparks": lambda: figures.sparks(now, minutes=30),
    }
    for period in figures.PERIODS:
        # As pages ask for a chart; what is over they ask for once.
        first = slice(0, STEPS_AT_ONCE)
        questions[f"chart of {period.name}, {STEPS_AT_ONCE} steps"] = partial(figures.series, period, now, steps=first)
        questions[f"kinds of {period.name}"] = partial(figures.kinds, period, now)
    with _connected(url) as conn:
        found = {name: measured(conn, ask) for name, ask in questions.items()}
        for name in ("overview: states, queues, servers", "failures by what went wrong"):
            found[f"{name}, after {REST_SECONDS:g} s of rest"] = measured(conn, questions[name], rest=REST_SECONDS)
        return found


@contextmanager
def _connected(url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(session_dsn(url, name="riverrun/bench", session=_SESSION), autocommit=True) as conn:
        yield conn


def measured(conn: Connection[Any], ask: Callable[[], Steps[Any]], *, rest: float = 0.0) -> Measured:
    """Return the milliseconds that the statements of an operation took together, after a run that is not counted."""

    def once() -> float:
        time.sleep(rest)
        return timed(conn, ask())[0]

    once()
    spread = Spread.of([once() for _ in range(REPEATS)])
    return {"median": round(spread.median, 2), "highest": round(spread.highest, 2)}


def timed(conn: Connection[Any], steps: Steps[T]) -> tuple[float, T]:
    """Run an operation; return the milliseconds that its statements took, and its result."""
    took = 0.0

    def watched() -> Steps[T]:
        nonlocal took
        answer: list[Any] | None = None
        try:
            while True:
                query = next(steps) if answer is None else steps.send(answer)
                assert isinstance(query, Query)
                started = time.perf_counter()
                answer = yield query
                took += (time.perf_counter() - started) * 1000
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # a generator's return value is untyped there

    result = Statements().run_sync(conn, watched())
    return took, result
