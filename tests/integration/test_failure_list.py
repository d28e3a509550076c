"""Failures by what went wrong: which jobs are looked at, and whether there are more."""

from __future__ import annotations

from typing import TypeVar

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Statements
from riverrun.store import failures

T = TypeVar("T")

STATEMENTS = Statements()
BIG = 100_000


async def test_failures_of_every_queue_are_looked_at(conn: AsyncConnection[TupleRow]) -> None:
    failed = (
        "INSERT INTO river_job (kind, args, queue, max_attempts, state, errors) SELECT %s, '{}', %s, 9, 'retryable', "
    )
    error = """ARRAY['{"at": "2026-11-29T12:00:00Z", "error": "no"}'::jsonb] FROM generate_series(1, %s)"""
    await conn.execute(failed + error, ("loud", "a", 2 * failures.LOOKED_AT))
    await conn.execute(failed + error, ("quiet", "b", 3))

    found, more = await STATEMENTS.run(conn, failures.groups())

    assert {(each.kind, each.retryable) for each in found} == {("loud", failures.LOOKED_AT // 2), ("quiet", 3)}
    assert more


async def test_nothing_more_has_failed_when_all_was_looked_at(conn: AsyncConnection[TupleRow]) -> None:
    for state in ("discarded", "retryable"):
        await conn.execute(
            "INSERT INTO river_job (kind, args, queue, max_attempts, state, finalized_at, errors)"
            " SELECT 'k', '{}', 'q', 9, %(state)s::river_job_state, CASE WHEN %(state)s = 'discarded' THEN now() END,"
            """ ARRAY['{"at": "2026-11-29T12:00:00Z", "error": "no"}'::jsonb] FROM generate_series(1, %(jobs)s)""",
            {"state": state, "jobs": failures.LOOKED_AT - 1},
        )

    ((only,), more) = await STATEMENTS.run(conn, failures.groups())

    assert (only.discarded + only.retryable, more) == (2 * (failures.LOOKED_AT - 1), False)
