"""What a statement costs does not grow with the table: 1,200,000 jobs in 1,000 queues cost what 10,000 in as many do.

Pages are counted, not seconds, so a slow machine gives the same answer. Two tables are compared, each without any
statistics, as after a bulk load, and then with fresh ones; what people look at may cost more until the first ANALYZE.
Both tables have more jobs of each sort than one batch takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeAlias

import psycopg
import pytest
from psycopg import Connection, sql

from riverrun.database.connect import session_dsn
from riverrun.database.statements import Query, Steps
from riverrun.job import JobState
from riverrun.store import attempts, clean, gauges, health, leader, listing, notices, promote, rescue, words
from riverrun.store.listing import JobFilter
from riverrun_executor.floors import Floors
from support.plans import executed
from support.postgres import PostgresServer

Named: TypeAlias = tuple[str, Steps[Any]]

QUEUES = 1_000
RUNNING, BATCH = 1_000, 500
SMALL = {"finished": 6_000, "available": 2_000, "timed": 1_000, "running": RUNNING}
LARGE = {"finished": 1_000_000, "available": 150_000, "timed": 49_000, "running": RUNNING}
CAP = 1_000
"""Where counting all jobs stops here; in the product at 10,000, of which the small table has too few."""

LOAD = """
INSERT INTO river_job (
    state, kind, args, queue, priority, created_at, scheduled_at, attempt, attempted_at, attempted_by, finalized_at
)
SELECT
    state::river_job_state, 'kind-' || n %% 20, '{}', 'queue-' || n %% %(queues)s, 1 + n %% 4, now(),
    CASE WHEN state = 'scheduled' THEN now() + (n - 600) * interval '1 second' ELSE now() - interval '1 minute' END,
    1, now() - interval '1 minute', ARRAY['host_' || n %% 10 || '_0a1b2c3d'],
    CASE WHEN state = 'completed' THEN now() - interval '1 day' - n * interval '10 milliseconds' END
FROM (VALUES
    ('completed', %(finished)s::int), ('available', %(available)s), ('scheduled', %(timed)s), ('running', %(running)s)
) AS wanted (state, jobs)
CROSS JOIN LATERAL generate_series(1, wanted.jobs) AS n
"""
NEVER_ANALYSED = "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relnamespace = 'public'::regnamespace"


def load(conn: Connection[Any], jobs: dict[str, int]) -> None:
    """Fill the tables as producers, executors and hosts would; the indexes are built after the rows, to save time."""
    conn.execute("ALTER TABLE river_job SET (autovacuum_enabled = off)")
    indexes = conn.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'river_job' AND indexname <> 'river_job_pkey'"
    ).fetchall()
    for name, _ in indexes:
        conn.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    conn.execute(LOAD, {**jobs, "queues": QUEUES})
    for _, definition in indexes:
        conn.execute(definition)
    conn.execute("INSERT INTO river_queue (name) SELECT 'queue-' || n FROM generate_series(0, %s) AS n", (QUEUES - 1,))
    conn.execute(
        "INSERT INTO riverrun_executor (incarnation, server_id, queue, slots, pid, lease_until)"
        " SELECT 'host_' || n || '_0a1b2c3d', 'host', 'queue-0', 1, n, now() FROM generate_series(1, 8) AS n"
    )
    conn.execute("UPDATE riverrun_leader SET generation = 1, backend_pid = pg_backend_pid()")
    conn.execute(NEVER_ANALYSED)


def worked() -> Iterator[Named]:
    """Return what executors and the leader ask again and again, each with a bound on what it answers."""
    floors = Floors()
    claim = attempts.claim("queue-7", slots=2, incarnation="h_1_0a", floors_us=floors.us, floor_ids=floors.ids)
    yield "claim", claim
    yield "pulse", leader.pulse(1)
    yield "promote", promote.promote(1, batch=BATCH)
    yield "look for lost jobs", rescue.lost(missing=["host_9_0a1b2c3d"], stuck_after=timedelta(hours=1), batch=BATCH)
    yield "look for executors without a lease", rescue.missing_executors()
    yield "clean", clean.clean_jobs(1, {"completed": timedelta(hours=24)}, batch=BATCH)
    yield "measure tables", gauges.server()
    yield "look for kinds without a handler", health.unhandled_kinds(rows=2)
    yield "list queues", one(Query("queue_list"))


def shown() -> Iterator[Named]:
    """Return what people ask, likewise."""
    for queues, cap in ((None, CAP), (["queue-1", "queue-2"], 1)):
        counted = {"states": ["available", "completed", "running", "scheduled"], "queues": queues, "cap": cap}
        yield f"count jobs of {queues or 'all queues'}", one(Query("job_count", counted))
    waiting = {"queues": ["queue-1"], "states": ["available", "scheduled"], "cap": 1}
    yield "count what waits in a queue", one(Query("job_count_queues", waiting))
    for state in (JobState.COMPLETED, JobState.SCHEDULED, JobState.AVAILABLE, JobState.RUNNING):
        yield f"list {state} jobs", listing.page(JobFilter(states=(state,)))
    yield "list a queue", listing.page(JobFilter(states=(JobState.AVAILABLE,), queues=("queue-3",)))
    yield "list all jobs", listing.page(JobFilter())
    yield "name kinds and tags", words.known()
    yield "look for what was discarded lately", notices.discarded_lately()


def one(query: Query) -> Steps[None]:
    yield query


def buffers(conn: Connection[Any], wanted: Iterator[Named]) -> dict[str, int]:
    """Return the pages that each statement touches, without changing anything."""
    touched = {}
    for name, steps in wanted:
        with conn.transaction(force_rollback=True):
            conn.execute("UPDATE riverrun_leader SET backend_pid = pg_backend_pid()")
            touched[name] = executed(conn, steps, generic=False).buffers()
    return touched


@contextmanager
def filled(server: PostgresServer, migrated: str, jobs: dict[str, int]) -> Iterator[Connection[Any]]:
    """Give a connection, as our parts open it, to a database of its own with ``jobs``."""
    with server.copy_of(migrated) as dsn:
        with psycopg.connect(dsn, autocommit=True) as loading:
            loading.execute("SET maintenance_work_mem = '256MB'")
            load(loading, jobs)
        with psycopg.connect(session_dsn(dsn, name="test"), autocommit=True) as conn:
            yield conn


def grown(small: Connection[Any], large: Connection[Any], ask: Callable[[], Iterator[Named]]) -> dict[str, str]:
    """Return the statements that touch more than twice as many pages; a higher index costs a few more."""
    before, after = buffers(small, ask()), buffers(large, ask())
    return {
        name: f"{before[name]} pages became {pages}" for name, pages in after.items() if pages > 2 * before[name] + 20
    }


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_no_statement_costs_more_with_a_large_table_than_with_a_small_one(
    server: PostgresServer, prepare_template: Callable[[str], None]
) -> None:
    migrated = server.template(prepare_template)

    with filled(server, migrated, SMALL) as small, filled(server, migrated, LARGE) as large:
        never_analysed = grown(small, large, worked)
        for conn in (small, large):
            conn.execute("VACUUM ANALYZE")
        analysed = grown(small, large, worked) | grown(small, large, shown)

    assert (never_analysed, analysed) == ({}, {})
