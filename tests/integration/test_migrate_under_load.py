"""Migrations while others work, beside other migrators, and killed on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database import migrate
from riverrun.database.migration_files import numbered
from riverrun.database.schema_check import check, status
from riverrun.errors import Conflict, DatabaseUnavailable
from support.eventually import eventually
from support.jobs import insert
from support.queries import CountingConnection, value
from support.river_database import create_river

NAMES = tuple(step.name for step in numbered())
SHORT = timedelta(milliseconds=100)

pytestmark = pytest.mark.every_postgres


@pytest.fixture
async def conn(empty_database: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    async with await AsyncConnection.connect(empty_database, autocommit=True) as connection:
        yield connection


@pytest.mark.slow
async def test_a_migrator_killed_before_any_statement_is_continued_by_the_next(
    conn: AsyncConnection[TupleRow], empty_database: str
) -> None:
    finished, number = False, 0
    while not finished:
        number += 1
        schema = f"killed_{number}"
        async with await CountingConnection.connect(empty_database, autocommit=True) as victim:
            victim.dies_before = number
            try:
                await migrate.up(victim, schema)
            except DatabaseUnavailable:
                await migrate.up(conn, schema)
            else:
                finished = True

        await check(conn, schema)
        assert await value(conn, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
        assert await value(conn, "SELECT count(*) FROM pg_constraint WHERE NOT convalidated") == 0

    assert number > 30


async def test_an_index_left_half_built_is_built_anew(conn: AsyncConnection[TupleRow], empty_database: str) -> None:
    await create_river(conn, 8)
    await migrate.up(conn, to=2)
    async with (
        await AsyncConnection.connect(empty_database) as reader,
        await AsyncConnection.connect(empty_database, autocommit=True) as victim,
    ):
        await insert(reader)
        building = asyncio.create_task(migrate.up(victim), name="killed migrator")
        half_built = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
        await eventually(lambda: value(conn, half_built), within=5.0)
        await conn.execute("SELECT pg_terminate_backend(%s, 5000)", (victim.info.backend_pid,))
        with pytest.raises(DatabaseUnavailable, match="step 003_job_live_index lost its connection"):
            await building
        assert await value(conn, half_built) == 1

    assert await migrate.up(conn) == NAMES[2:]

    assert await value(conn, half_built) == 0


async def test_five_migrators_at_once_do_the_work_of_one(conn: AsyncConnection[TupleRow], empty_database: str) -> None:
    async def one() -> tuple[str, ...]:
        async with await AsyncConnection.connect(empty_database, autocommit=True) as own:
            return await migrate.up(own, "crowded")

    done = await asyncio.gather(*(one() for _ in range(5)))

    assert sorted(done) == [(), (), (), (), ("river", "history", *NAMES)]
    await check(conn, "crowded")


async def test_a_migrator_that_never_ends_is_not_waited_for_for_ever(
    conn: AsyncConnection[TupleRow], empty_database: str
) -> None:
    await create_river(conn, 8)
    async with (
        await AsyncConnection.connect(empty_database) as writer,
        await AsyncConnection.connect(empty_database, autocommit=True) as first,
    ):
        await insert(writer)
        working = asyncio.create_task(migrate.up(first), name="first migrator")
        await eventually(
            lambda: value(conn, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"), within=5.0
        )

        with pytest.raises(Conflict, match=r'another migration of schema "public" did not end within 0\.1 s'):
            await migrate.up(conn, patience=SHORT)

        await writer.rollback()
        assert await working == ("history", *NAMES)


@pytest.mark.slow
async def test_a_blocked_step_lets_enqueuers_through_and_goes_on_later(
    conn: AsyncConnection[TupleRow], empty_database: str
) -> None:
    await create_river(conn, 8)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
    async with (
        await AsyncConnection.connect(empty_database) as writer,
        await AsyncConnection.connect(empty_database, autocommit=True) as migrator,
    ):
        await insert(writer)
        working = asyncio.create_task(migrate.up(migrator), name="blocked migrator")
        await eventually(lambda: value(conn, waiting), within=5.0)

        async with asyncio.timeout(4.0):
            await insert(conn)

        assert not working.done()
        await writer.commit()
        assert await working == ("history", *NAMES)
        assert await value(conn, "SELECT count(*) FROM river_job") == 2


@pytest.mark.slow
async def test_a_step_that_never_gets_its_lock_gives_up_and_changes_nothing(
    conn: AsyncConnection[TupleRow], empty_database: str
) -> None:
    await create_river(conn, 8)
    async with await AsyncConnection.connect(empty_database) as writer:
        await insert(writer)

        with pytest.raises(Conflict, match=r"step 001_priority_to_9 did not get its locks within 0\.1 s"):
            await migrate.up(conn, patience=SHORT)

    assert (await status(conn)).version == 0
    assert await value(conn, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    assert await migrate.up(conn) == NAMES


async def test_a_cancelled_migrator_lets_go_of_its_lock(conn: AsyncConnection[TupleRow], empty_database: str) -> None:
    await create_river(conn, 8)
    async with (
        await AsyncConnection.connect(empty_database) as writer,
        await AsyncConnection.connect(empty_database, autocommit=True) as migrator,
    ):
        await insert(writer)
        working = asyncio.create_task(migrate.up(migrator), name="cancelled migrator")
        await eventually(lambda: value(conn, "SELECT count(*) FROM pg_locks WHERE NOT granted"), within=5.0)

        working.cancel()

        with pytest.raises(asyncio.CancelledError):
            await working
        assert await value(migrator, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


async def test_a_connection_that_opens_transactions_is_refused(empty_database: str) -> None:
    async with await AsyncConnection.connect(empty_database) as conn:
        with pytest.raises(ValueError, match="autocommit"):
            await migrate.up(conn, "public")
