"""What a job costs the database: plans, pages and statements, which are the same on a slow machine.

Each plan is checked on tables in the states that mislead the planner: analysed, never analysed after a bulk load,
analysed before the load, and full of dead rows that an old transaction keeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg_pool import AsyncConnectionPool

from riverrun import AsyncClient
from riverrun.claimed_job import ClaimedJob
from riverrun.database.connect import session_dsn
from riverrun.database.statements import Copy, Query, Row, Statements, Steps
from riverrun.job import JobState
from riverrun.new_job import new_job
from riverrun.store import attempts, jobs
from riverrun.transition import Finalization
from riverrun_executor.claimer import CLAIM_SESSION
from riverrun_executor.floors import NOWHERE, Floors
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.plans import Plan, executed
from support.postgres import PostgresServer

ME = "host:0123456789ab"
SLOTS = 500
FINISHED, WAITING = 80_000, 20_000
DEAD = 100_000

Prepare = Callable[[str], None]

LOAD = """
INSERT INTO river_job (state, kind, args, queue, finalized_at, attempted_at, attempt, attempted_by)
SELECT 'completed', 'noop', jsonb_build_object('n', n), 'default', now(), now(), 1, '{someone}'
FROM generate_series(1, %(finished)s) AS n;
"""
ENQUEUE = """
INSERT INTO river_job (kind, args, queue)
SELECT 'noop', jsonb_build_object('n', n), CASE WHEN n %% 2 = 0 THEN 'default' ELSE 'mail' END
FROM generate_series(1, %(waiting)s) AS n;
"""


def _load(dsn: str, *, analysed: str, finished: int = FINISHED) -> None:
    """Fill a database; ``analysed`` says when statistics were gathered: ``after``, ``between`` or ``never``."""
    from conftest import _migrate  # noqa: PLC0415

    _migrate(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("ALTER TABLE river_job SET (autovacuum_enabled = off)")
        conn.execute(LOAD, {"finished": finished})
        if analysed == "between":
            conn.execute("VACUUM ANALYZE river_job")
        conn.execute(ENQUEUE, {"waiting": WAITING})
        if analysed == "after":
            conn.execute("VACUUM ANALYZE river_job")


def fresh(dsn: str) -> None:
    _load(dsn, analysed="after")


def stale(dsn: str) -> None:
    _load(dsn, analysed="between")


def never(dsn: str) -> None:
    _load(dsn, analysed="never")


def young(dsn: str) -> None:
    """Here a batch is so large a part of the table that reading all of an index looks cheap to the planner."""
    _load(dsn, analysed="between", finished=5_000)


@pytest.fixture(
    params=[fresh, stale, never, young], ids=["fresh statistics", "stale statistics", "no statistics", "young table"]
)
def table(request: pytest.FixtureRequest, server: PostgresServer) -> Iterator[str]:
    """Give the connection string of a database with up to 100,000 jobs, of which 20,000 wait in two queues."""
    with server.copy_of(server.template(request.param)) as dsn:
        yield dsn


@pytest.fixture
def pinned(database: str) -> Iterator[str]:
    """Give a database in which 100,000 jobs were run while an old transaction is open, and 2,000 wait."""
    with psycopg.connect(database) as pin, psycopg.connect(database, autocommit=True) as conn:
        conn.execute("ALTER TABLE river_job SET (autovacuum_enabled = off)")
        pin.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        pin.execute("SELECT count(*) FROM river_job")
        conn.execute(ENQUEUE, {"waiting": DEAD})
        conn.execute("UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = '{x}'")
        conn.execute("UPDATE river_job SET state = 'completed', finalized_at = now()")
        conn.execute(ENQUEUE, {"waiting": 4_000})
        yield database


@pytest.fixture(params=[False, True], ids=["custom plan", "generic plan"])
def generic(request: pytest.FixtureRequest) -> bool:
    """Say which of PostgreSQL's two ways to plan a prepared statement is used."""
    return bool(request.param)


def session(dsn: str, settings: dict[str, str] | None = None) -> Connection[Any]:
    """Open a connection as the part opens it that uses the statement."""
    return psycopg.connect(session_dsn(dsn, name="test", session=settings), autocommit=True)


def claiming(floors: Floors, rooms: Mapping[str, int] = attempts.NO_LIMITS) -> Steps[list[ClaimedJob]]:
    return attempts.claim(
        "default", slots=SLOTS, incarnation=ME, floors_us=floors.us, floor_ids=floors.ids, rooms=rooms
    )


def claimed(dsn: str) -> Sequence[ClaimedJob]:
    """Claim jobs, so that there is something to finalize."""
    with session(dsn, CLAIM_SESSION) as conn:
        return Statements().run_sync(conn, claiming(NOWHERE))


def claim(dsn: str, *, generic: bool, floors: Floors = NOWHERE) -> Plan:
    with session(dsn, CLAIM_SESSION) as conn:
        return executed(conn, claiming(floors), generic=generic)


def complete(dsn: str, *, generic: bool) -> Plan:
    held = claimed(dsn)
    with session(dsn, attempts.PLANS) as conn:
        return executed(conn, attempts.complete(held, ME), generic=generic)


def finalize(dsn: str, *, generic: bool) -> Plan:
    held = claimed(dsn)
    failed = Finalization(
        state=JobState.RETRYABLE, attempt=1, error_json='{"error": "no"}', scheduled_in=None, metadata_patch_json=None
    )
    with session(dsn, attempts.PLANS) as conn:
        return executed(conn, attempts.finalize([(job, failed) for job in held], ME), generic=generic)


def test_a_claim_reads_its_index_alone(table: str, generic: bool) -> None:
    plan = claim(table, generic=generic)

    assert plan.read_in_full() <= {"river_queue"}
    assert "Bitmap Index Scan" not in plan.scans()
    assert plan.indexes() - {"river_queue_pkey"} == {"riverrun_job_live_index", "river_job_pkey"}
    assert plan.buffers("due") / SLOTS < 4


def test_a_claim_with_little_room_for_a_kind_reads_its_index_alone(table: str, generic: bool) -> None:
    with session(table, CLAIM_SESSION) as conn:
        plan = executed(conn, claiming(NOWHERE, {"noop": 7}), generic=generic)

    assert plan.read_in_full() <= {"river_queue"}
    assert plan.indexes() - {"river_queue_pkey"} == {"riverrun_job_live_index", "river_job_pkey"}
    assert plan.buffers("best") / SLOTS < 4


@pytest.mark.parametrize("write", [complete, finalize])
def test_a_finalization_finds_its_rows_by_primary_key(table: str, generic: bool, write: Callable[..., Plan]) -> None:
    plan = write(table, generic=generic)

    assert plan.read_in_full() == set()
    assert plan.indexes() == {"river_job_pkey"}
    assert plan.most_rows() <= SLOTS
    assert plan.buffers("held") / SLOTS < 8


def test_an_enqueue_reads_no_job(table: str, generic: bool) -> None:
    new = [new_job("noop", {"n": number}) for number in range(SLOTS)]

    with session(table) as conn:
        plan = executed(conn, jobs.enqueue(new), generic=generic)

    assert plan.read_in_full() == set()
    assert plan.indexes() == set()
    assert plan.buffers() / SLOTS < 30


@pytest.mark.slow
def test_a_claim_steps_over_no_dead_rows_while_the_horizon_is_pinned(pinned: str) -> None:
    floors = Floors()
    floors.rise(claimed(pinned), exhausted=False)

    for plan in (claim(pinned, generic=False, floors=floors), claim(pinned, generic=True, floors=floors)):
        assert "riverrun_job_live_index" in plan.indexes()
        assert plan.buffers("due") / SLOTS < 4


@pytest.mark.slow
def test_a_finalization_steps_over_no_dead_rows_while_the_horizon_is_pinned(pinned: str) -> None:
    for write in (complete, finalize):
        for plan in (write(pinned, generic=False), write(pinned, generic=True)):
            assert plan.indexes() == {"river_job_pkey"}
            assert plan.buffers("held") / SLOTS < 8


async def test_one_job_is_enqueued_in_one_question_to_the_server(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answer, check = Statements._answer, AsyncConnectionPool.check_connection

    async def noted(self: Statements, conn: Any, step: Query | Copy) -> list[Row]:
        asked.append(step.name)
        return await answer(self, conn, step)

    async def noted_check(conn: Any) -> None:
        asked.append("check")
        await check(conn)

    async with AsyncClient(database) as client:
        await client.enqueue("noop", {})
        monkeypatch.setattr(Statements, "_answer", noted)
        monkeypatch.setattr(AsyncConnectionPool, "check_connection", staticmethod(noted_check))
        await client.enqueue("noop", {})

    assert asked == ["job_enqueue_one"]


async def test_a_thousand_jobs_cost_few_statements(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: Counter[str] = Counter()
    answer = Statements._answer

    async def counted(self: Statements, conn: Any, step: Query | Copy) -> list[Row]:
        statements[step.name] += 1
        return await answer(self, conn, step)

    monkeypatch.setattr(Statements, "_answer", counted)
    async with AsyncClient(database) as client:
        await client.enqueue_many([{"kind": "noop", "args": {"n": number}} for number in range(1_000)])
    assert statements.total() <= 3

    async with running_executor(settings_for(database), slots=600) as executor:
        await eventually(lambda: executor.context.progress == 1_000, within=20)

    assert statements["job_claim"] <= 20
    assert statements["job_complete"] <= 40
    assert statements["job_finalize"] == 0
    assert statements.total() <= 100
