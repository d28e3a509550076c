"""What ``queuectl top`` draws: in both languages, in narrow and wide terminals, every column in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from riverrun.job import JobState
from riverrun.store.failures import Failure
from riverrun.store.figures import KindFigures, Spark
from riverrun.store.listing import Count
from riverrun.store.statistics import QueueStatistics, Server, Statistics
from riverrun_cli.language import CHINESE, speak, width
from riverrun_cli.top import TABS, View
from riverrun_cli.top_screen import HEAD, Seen, screen

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DATA = {"riverrun", "mail", "reports", "bills", "send", "receipt", "of", "db"}
"""Words of the fleet below; they are the same in every language."""


def queue(name: str, available: int, *, paused: bool = False, executors: int = 1) -> QueueStatistics:
    few = Count(available, "gte")
    return QueueStatistics(
        name=name, paused_at=NOW if paused else None, pause=None, available=few, running=few, scheduled=few,
        retryable=few, oldest_age_s=available / 7, max_workers=None, max_workers_by_server={}, slots=50,
        executors=executors, completed_1m=12_345, failed_1m=3, wait_p95_s=None, run_p95_s=None,
    )  # fmt: skip


def server(name: str, *, alive: bool) -> Server:
    return Server(
        server_id=name, host=name, pid=7, version="0.1.0", roles=("executor",), started_at=NOW,
        heartbeat_at=NOW - timedelta(seconds=2.1), alive=alive, executors=3, slots=50, leads=alive,
    )  # fmt: skip


SEEN = Seen(
    at=NOW,
    statistics=Statistics(
        states=dict.fromkeys(JobState, Count(10_000, "gte")),
        queues=(queue("mail", 1), queue("reports", 9_000, executors=0), queue("bills", 700_000, paused=True)),
        servers=(server("db1", alive=True), server("db2", alive=False)),
    ),
    kinds=[KindFigures("send", 120_000, 7, 2, 99_000.0, 0.004, 61.0)],
    sparks={"mail": Spark(list(range(20, 50)), [0] * 30)},
    failures=[
        Failure(
            fingerprint="0" * 16, kind="receipt", message="# of 7 " * 24, newest=123_456, example="", queues=(),
            discarded=7, retryable=8, hour=9, day=10, week=11, first_at=None, last_at=None, ids=(),
        )
    ],
)  # fmt: skip


@contextmanager
def spoken(language: str) -> Iterator[None]:
    speak(language)
    try:
        yield
    finally:
        speak("en")


def drawn(language: str, tab: str, columns: int, *, lines: int = 24, first: int = 0) -> list[str]:
    view = View(hears_keys=True)
    view.tab, view.first = TABS.index(tab), first
    console = Console(file=StringIO(), width=columns, color_system=None, highlight=False)
    with spoken(language), console.capture() as captured:
        console.print(screen(SEEN, view, columns, lines))
    return captured.get().splitlines()


@pytest.mark.parametrize("tab", TABS)
def test_a_chinese_screen_says_nothing_in_english(tab: str) -> None:
    words = set(re.findall(r"[A-Za-z]{2,}", " ".join(drawn(CHINESE, tab, 160))))

    assert words - DATA == {"UTC"}


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("language", ["en", CHINESE])
@pytest.mark.parametrize("tab", TABS)
def test_every_column_begins_or_ends_where_its_name_does(tab: str, language: str, columns: int) -> None:
    lines = drawn(language, tab, columns)
    heading, *rows = lines[next(place for place, line in enumerate(lines) if " 1 " in line and " 4 " in line) + 1 :]

    assert all(width(line) <= columns for line in lines)
    assert rows
    for row in rows:
        edges = {place for begin, end in _words(heading) for place in (begin, end)}
        assert all(begin in edges or end in edges for begin, end in _words(row)), f"{heading}\n{row}"


def test_rows_end_where_the_terminal_does() -> None:
    lines = drawn("en", "queues", 80, lines=HEAD + 1, first=1)

    assert len(lines) <= HEAD + 1
    assert "reports" in lines[-1]


def _words(line: str) -> Iterator[tuple[int, int]]:
    """Yield the columns of the terminal in which each cell begins and ends; two spaces stand between cells."""
    for found in re.finditer(r"\S+(?: \S+)*", line):
        yield width(line[: found.start()]), width(line[: found.end()])
