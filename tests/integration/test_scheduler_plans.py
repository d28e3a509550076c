"""The leader's statements stay on their indexes with 100,000 jobs, with statistics and right after a bulk load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Query, Statements, Steps
from riverrun.store import clean, gauges, leader, promote, rescue
from riverrun.store.rescue import LostJob

Connection = AsyncConnection[TupleRow]

LOAD = """
INSERT INTO river_job (
    kind, args, queue, priority, state, finalized_at, scheduled_at, attempt, attempted_at, attempted_by, unique_key,
    unique_states
)
SELECT
    'kind-' || n % 20, jsonb_build_object('n', n), 'queue-' || n % 5, 1 + n % 4, state::river_job_state,
    CASE WHEN state IN ('completed', 'discarded') THEN now() - n * interval '2 seconds' END,
    CASE WHEN state IN ('scheduled', 'retryable') THEN now() + (n - 99000) * interval '1 second' ELSE now() END,
    1, now() - interval '1 minute', ARRAY['host_' || n % 10 || '_0a1b2c3d'],
    CASE WHEN n % 50 = 0 THEN decode(md5(n::text), 'hex') END,
    CASE WHEN n % 50 = 0 THEN B'11110101' END
FROM (
    SELECT n, CASE
        WHEN n % 100 < 85 THEN 'completed'
        WHEN n % 100 < 87 THEN 'discarded'
        WHEN n % 100 < 94 THEN 'available'
        WHEN n % 100 < 95 THEN 'running'
        WHEN n % 100 < 98 THEN 'scheduled'
        ELSE 'retryable'
    END AS state
    FROM generate_series(1, 100000) AS n
) AS jobs
"""

LOST = LostJob(id=95, attempt=1, attempted_us=1, incarnation="host_5_0a1b2c3d", errors=0, rescues=0, reason="expired")
KEPT = {state: timedelta(hours=24) for state in ("completed", "cancelled", "discarded")}


def statements() -> dict[str, tuple[Steps[Any], str]]:
    """Return what a leader asks, each with the index that it must use."""
    return {
        "pulse": (leader.pulse(1), "riverrun_job_due_index"),
        "promote": (promote.promote(1, batch=2_000), "riverrun_job_due_index"),
        "promote one that takes up its key": (promote.promote_contested(1, 100), "river_job_unique_idx"),
        "look for lost jobs": (
            rescue.lost(missing=["a"], stuck_after=timedelta(hours=1), batch=500),
            "riverrun_job_live_index",
        ),
        "look for executors without a lease": (rescue.missing_executors(), "riverrun_job_live_index"),
        "rescue": (rescue.rescue([LOST] * 500, {"expired": "gone"}, generation=1), "river_job_pkey"),
        "clean jobs": (clean.clean_jobs(1, KEPT, batch=1_000), "river_job_state_and_finalized_at_index"),
        "measure queues": (gauges.queues(), "riverrun_job_live_index"),
    }


@pytest.fixture(params=["analyzed", "just loaded"])
async def loaded(request: pytest.FixtureRequest, conn: Connection) -> Connection:
    """Give a database with 100,000 jobs, five queues and two executors."""
    await conn.execute("ALTER TABLE river_job SET (autovacuum_enabled = off)")
    await conn.execute(LOAD.encode())
    await conn.execute("INSERT INTO river_queue (name) SELECT 'queue-' || n FROM generate_series(0, 4) AS n")
    await conn.execute(
        "INSERT INTO riverrun_executor (incarnation, server_id, queue, slots, pid, lease_until)"
        " SELECT 'host_' || n || '_0a1b2c3d', 'host', 'queue-0', 1, n, now() FROM generate_series(1, 2) AS n"
    )
    await conn.execute("UPDATE riverrun_leader SET generation = 1, backend_pid = pg_backend_pid()")
    if request.param == "analyzed":
        await conn.execute("VACUUM ANALYZE")
    return conn


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


async def scans(conn: Connection, steps: Steps[Any]) -> list[tuple[str, str, str]]:
    """Return how tables are read: kind of scan, index, and table."""
    query = next(steps)
    assert isinstance(query, Query)
    text = b"EXPLAIN (FORMAT JSON) " + Statements().text(query.name)
    row = await (await conn.execute(text, {"schema": None, **query.params})).fetchone()
    assert row is not None
    found = [node for node in nodes(row[0][0]["Plan"]) if "Scan" in node["Node Type"]]
    return [(node["Node Type"], node.get("Index Name", ""), node.get("Relation Name", "")) for node in found]


@pytest.mark.every_postgres
async def test_no_statement_of_the_leader_reads_the_whole_table(loaded: Connection) -> None:
    wrong = {}
    for name, (steps, index) in statements().items():
        found = await scans(loaded, steps)
        whole = [scan for scan in found if scan[0] == "Seq Scan" and scan[2] == "river_job"]
        if whole or index not in {scan[1] for scan in found}:
            wrong[name] = found

    assert wrong == {}


async def test_a_full_batch_takes_less_than_the_leader_may_take(loaded: Connection) -> None:
    seconds = {}
    for name, (steps, _) in statements().items():
        started = time.monotonic()
        await Statements().run(loaded, steps)
        seconds[name] = time.monotonic() - started

    assert max(seconds.values()) < 1.5, seconds
