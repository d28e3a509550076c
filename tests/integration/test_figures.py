"""What charts are drawn from: minutes, hours made of them, and both together without counting anything twice."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Statements
from riverrun.store import figures, minutes
from riverrun.store.figures import PERIODS
from riverrun_admin.database import Database
from riverrun_admin.histories import Histories
from support.contexts import settings_for
from support.jobs import insert
from support.plans import executed
from support.schedulers import term_of

Connection = AsyncConnection[TupleRow]

STATEMENTS = Statements()
HOUR = datetime(2026, 3, 1, 10, tzinfo=UTC)
SUMMED = (*minutes.OUTCOMES, "run_seconds", "wait_seconds", "run_buckets", "wait_buckets")
FULL_HOUR = """
INSERT INTO riverrun_minute (minute, queue, kind, completed, run_buckets, wait_buckets)
SELECT %(hour)s + at * interval '1 minute', 'queue-' || pair %% 20, 'kind-' || pair, 3, bounds.run, bounds.wait
FROM generate_series(0, 59) AS at
CROSS JOIN generate_series(1, %(pairs)s::int) AS pair
CROSS JOIN (SELECT array_fill(1, ARRAY[17]) AS run, array_fill(1, ARRAY[16]) AS wait) AS bounds
"""
BY_NAME = {period.name: period for period in PERIODS}


async def minute(conn: Connection, at: datetime, **columns: Any) -> None:
    values = {"queue": "default", "kind": "email", "run_buckets": [1, 2], "wait_buckets": [0, 4], **columns}
    await insert(conn, "riverrun_minute", minute=at, **values)


async def compact(database: str) -> list[datetime]:
    made = []
    async with term_of(settings_for(database)) as term:
        while (hour := await term.run(minutes.compact(term.generation))) is not None:
            made.append(hour)
    return made


async def test_hours_that_are_over_are_summed_up_once_and_the_oldest_first(conn: Connection, database: str) -> None:
    for at in (HOUR, HOUR + timedelta(minutes=59), HOUR + timedelta(hours=3)):
        await minute(conn, at, completed=2, retried=1, run_seconds=0.5)
    await minute(conn, datetime.now(UTC), completed=7)

    first, second = await compact(database), await compact(database)

    assert first == [HOUR, HOUR + timedelta(hours=3)]
    assert second == []
    rows = await (
        await conn.execute("SELECT hour, completed, retried, run_seconds, run_buckets FROM riverrun_hour ORDER BY hour")
    ).fetchall()
    assert rows == [(HOUR, 4, 2, 1.0, [2, 4]), (HOUR + timedelta(hours=3), 2, 1, 0.5, [1, 2])]


async def test_an_hour_is_the_sum_of_its_minutes_for_each_queue_kind_and_bucket(
    conn: Connection, database: str
) -> None:
    draw = random.Random(7)
    expected: dict[tuple[str, str], Counter[str | tuple[str, int]]] = {}
    for queue, kind, at in itertools.product("ab", ("x", "y", "idle"), range(60)):
        total = expected.setdefault((queue, kind), Counter())
        counts = {outcome: draw.randrange(9) for outcome in minutes.OUTCOMES}
        buckets = {
            "run_buckets": [] if kind == "idle" else [draw.randrange(9) for _ in range(draw.choice((0, 16, 17)))],
            "wait_buckets": [] if kind == "idle" else [draw.randrange(9) for _ in range(draw.choice((0, 16, 18)))],
        }
        await minute(conn, HOUR + timedelta(minutes=at), queue=queue, kind=kind, run_seconds=0.5, **counts, **buckets)
        total.update(counts)
        for name, jobs in buckets.items():
            total.update({(name, position): count for position, count in enumerate(jobs)})

    await compact(database)

    hours = await (
        await conn.execute(f"SELECT queue, kind, {', '.join(SUMMED)} FROM riverrun_hour".encode())
    ).fetchall()
    assert {(queue, kind): dict(zip(SUMMED, figures, strict=True)) for queue, kind, *figures in hours} == {
        pair: {
            **{outcome: total[outcome] for outcome in minutes.OUTCOMES},
            "run_seconds": 30.0,
            "wait_seconds": 0.0,
            "run_buckets": [] if pair[1] == "idle" else [total["run_buckets", position] for position in range(17)],
            "wait_buckets": [] if pair[1] == "idle" else [total["wait_buckets", position] for position in range(18)],
        }
        for pair, total in expected.items()
    }


@pytest.mark.parametrize("analysed", [True, False])
def test_what_an_hour_costs_grows_with_its_minutes_and_no_faster(database: str, analysed: bool) -> None:
    visited = {}
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("UPDATE riverrun_leader SET generation = 1, backend_pid = pg_backend_pid()")
        conn.execute("ALTER TABLE riverrun_minute SET (autovacuum_enabled = off)")
        for pairs in (60, 600):
            conn.execute("TRUNCATE riverrun_minute, riverrun_hour")
            conn.execute(FULL_HOUR, {"hour": HOUR, "pairs": pairs})
            if analysed:
                conn.execute("ANALYZE riverrun_minute")

            visited[pairs] = executed(conn, minutes.compact(1), generic=True).rows_visited()

            assert conn.execute("SELECT count(*) FROM riverrun_hour").fetchone() == (pairs,)

    assert visited[600] < 11 * visited[60]


async def test_a_leader_whose_term_is_over_sums_up_nothing(conn: Connection, database: str) -> None:
    await minute(conn, HOUR, completed=2)
    async with term_of(settings_for(database)) as term:
        assert await term.run(minutes.compact(term.generation - 1)) is None


async def test_a_series_counts_an_hour_and_its_minutes_once(conn: Connection, database: str) -> None:
    now = datetime.now(UTC)
    start = figures.step_starts(BY_NAME["24h"], now)[-4]
    for at in (start, start + timedelta(minutes=30), start + timedelta(hours=1)):
        await minute(conn, at, completed=3)
    await compact(database)

    for period in ("24h", "72h"):
        points = await STATEMENTS.run(conn, figures.series(BY_NAME[period], now))
        assert sum(point.completed for point in points) == 9, period

    by_hour = await STATEMENTS.run(conn, figures.series(BY_NAME["24h"], now))
    assert [point.completed for point in by_hour[-4:-2]] == [6, 3]
    assert by_hour[-4].run_buckets == [2, 4]
    assert len(by_hour) == 24


async def test_a_part_of_a_series_is_what_the_whole_has_there(conn: Connection, database: str) -> None:
    now = datetime.now(UTC)
    for back in range(0, 72 * 60, 40):
        await minute(conn, now.replace(second=0, microsecond=0) - timedelta(minutes=back), completed=1 + back % 7)
    await compact(database)

    for period in PERIODS:
        whole = await STATEMENTS.run(conn, figures.series(period, now))
        for steps in (slice(0, 5), slice(5, 9), slice(9, 100)):
            part = await STATEMENTS.run(conn, figures.series(period, now, steps=steps))

            assert part == whole[steps], (period, steps)


async def test_a_chart_asks_only_for_what_may_still_change(
    conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    series = figures.series

    def watched(period: figures.Period, now: datetime, **options: Any) -> Any:
        asked.append(len(figures.step_starts(period, now)[options["steps"]]))
        return series(period, now, **options)

    monkeypatch.setattr(figures, "series", watched)
    opened = Database(settings_for(database))
    await opened.open()
    histories = Histories(opened)
    this_minute = datetime.now(UTC).replace(second=0, microsecond=0)
    for back in (0, 3, 30, 400):
        await minute(conn, this_minute - timedelta(minutes=back), completed=1 + back)

    first = await histories.points(BY_NAME["6h"], None)
    await conn.execute("UPDATE riverrun_minute SET completed = completed + 100")
    again = await histories.points(BY_NAME["6h"], None)
    await opened.close()

    assert sum(point.completed for point in first) == 1 + 4 + 31
    # Half an hour ago nothing changes any more, and is not asked for; three minutes ago it may.
    assert sum(point.completed for point in again) == 101 + 104 + 31
    assert sum(asked[:6]) == 72
    assert sum(asked[6:]) <= 3


async def test_a_series_can_be_that_of_one_queue(conn: Connection) -> None:
    now = datetime.now(UTC)
    await minute(conn, now.replace(second=0, microsecond=0), completed=1, queue="a")
    await minute(conn, now.replace(second=0, microsecond=0), completed=5, queue="b")

    points = await STATEMENTS.run(conn, figures.series(BY_NAME["1h"], now, queues=["b"]))
    kinds = await STATEMENTS.run(conn, figures.kinds(BY_NAME["1h"], now))
    sparks = await STATEMENTS.run(conn, figures.sparks(now, minutes=30))

    assert (len(points), points[-1].completed) == (60, 5)
    assert [(kind.kind, kind.completed) for kind in kinds] == [("email", 6)]
    assert sparks["a"].completed[-1] == 1
