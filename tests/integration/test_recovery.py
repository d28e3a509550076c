"""Who may claim after a crash of the server, and when."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import AsyncConnection

from riverrun.database.statements import Statements
from riverrun.store import recovery

pytestmark = pytest.mark.every_postgres

Connection = AsyncConnection[Any]
STATEMENTS = Statements()
LIVING = (
    "INSERT INTO riverrun_executor (incarnation, server_id, queue, slots, pid, lease_until)"
    " VALUES (%s, 'a', %s, 1, 1, now() + make_interval(secs => %s))"
)


async def executor(conn: Connection, name: str, *, queue: str = "default", lease: float = 60.0) -> None:
    await conn.execute(LIVING, (name, queue, lease))


async def recovers(conn: Connection, name: str) -> None:
    await STATEMENTS.run(conn, recovery.recover([], queue="default", incarnation=name))


async def may_claim(conn: Connection) -> bool:
    return await STATEMENTS.run(conn, recovery.over("default"))


async def test_nobody_claims_after_a_crash_until_all_who_live_have_recovered(conn: Connection) -> None:
    for name in ("one", "two"):
        await executor(conn, name)

    await recovers(conn, "one")
    assert not await may_claim(conn)
    await recovers(conn, "two")
    assert await may_claim(conn)


async def test_executors_that_are_dead_or_of_other_queues_are_not_waited_for(conn: Connection) -> None:
    await executor(conn, "one")
    await executor(conn, "dead", lease=-1.0)
    await executor(conn, "elsewhere", queue="other")

    await recovers(conn, "one")

    assert await may_claim(conn)


async def test_one_that_does_not_answer_is_waited_for_only_so_long(conn: Connection) -> None:
    for name in ("one", "silent"):
        await executor(conn, name)
    await recovers(conn, "one")
    assert not await may_claim(conn)

    await conn.execute("UPDATE riverrun_recovery SET answered_at = answered_at - %s", (recovery.PATIENCE,))

    assert await may_claim(conn)


async def test_whoever_comes_later_is_waited_for_by_nobody_until_the_next_crash(conn: Connection) -> None:
    await executor(conn, "one")
    await recovers(conn, "one")
    assert await may_claim(conn)

    await executor(conn, "late")
    assert await may_claim(conn)
    await conn.execute("TRUNCATE riverrun_recovery")
    assert not await may_claim(conn)
