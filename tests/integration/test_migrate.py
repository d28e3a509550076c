"""Migrations forwards and back, on what other people left, and what a role asks at its start."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database import migrate, schema_check
from riverrun.database.migration_files import latest, numbered
from riverrun.database.schema_check import check, status
from riverrun.errors import Conflict, InvalidInput, SchemaError
from support.jobs import insert
from support.queries import CountingConnection, value
from support.river_database import create_river
from support.schema_dump import dump_schema

NAMES = tuple(step.name for step in numbered())
NEWER = f"at version {latest() + 1}, made by a newer release.*queuectl migrate down .*--to {latest()}"

pytestmark = pytest.mark.every_postgres


@pytest.fixture
async def conn(empty_database: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    async with await AsyncConnection.connect(empty_database, autocommit=True) as connection:
        yield connection


# Forwards and back


async def test_an_empty_database_gets_rivers_tables_and_ours(conn: AsyncConnection[TupleRow]) -> None:
    assert await migrate.up(conn) == ("river", "history", *NAMES)

    found = await status(conn)
    assert (found.river_version, found.version, found.pending, found.problem) == (8, latest(), (), None)
    assert await migrate.up(conn) == ()


async def test_up_down_up_leaves_the_same_schema(conn: AsyncConnection[TupleRow], empty_database: str) -> None:
    await migrate.up(conn)
    full = dump_schema(empty_database)

    await migrate.down(conn, to=0)
    await migrate.up(conn)

    assert dump_schema(empty_database) == full


async def test_each_step_down_undoes_exactly_its_step_up(conn: AsyncConnection[TupleRow], empty_database: str) -> None:
    dumps = []
    for version in range(latest() + 1):
        await migrate.up(conn, to=version)
        dumps.append(dump_schema(empty_database))

    for version in reversed(range(latest())):
        await migrate.down(conn, to=version)

        assert dump_schema(empty_database) == dumps[version]


async def test_river_can_be_dropped_as_well(conn: AsyncConnection[TupleRow], empty_database: str) -> None:
    empty = dump_schema(empty_database)
    await migrate.up(conn)
    await insert(conn)

    await migrate.down(conn, to=0, drop_river=True)

    assert dump_schema(empty_database) == empty


async def test_down_past_ours_keeps_rivers_jobs(conn: AsyncConnection[TupleRow]) -> None:
    await migrate.up(conn)
    await insert(conn, priority=4)

    assert await migrate.down(conn, to=0) == (*reversed(NAMES), "history")

    assert await value(conn, "SELECT count(*) FROM river_job") == 1
    with pytest.raises(psycopg.errors.CheckViolation):
        await insert(conn, priority=5)


async def test_down_refuses_while_jobs_have_priorities_that_river_forbids(conn: AsyncConnection[TupleRow]) -> None:
    await migrate.up(conn)
    for priority in (4, 5, 9):
        await insert(conn, priority=priority)

    with pytest.raises(Conflict, match=r"priority of 5 to 9 in river_job: 2; River allows 1 to 4"):
        await migrate.down(conn, to=0)

    await insert(conn, priority=9)
    assert (await status(conn)).version == 1


@pytest.mark.parametrize("to", [-1, latest() + 1, 99])
async def test_a_version_that_does_not_exist_is_refused(conn: AsyncConnection[TupleRow], to: int) -> None:
    with pytest.raises(InvalidInput, match=f"expected a version from 0 to {latest()}"):
        await migrate.up(conn, to=to)

    assert (await status(conn)).river_versions == ()


async def test_a_session_gets_its_settings_back(conn: AsyncConnection[TupleRow]) -> None:
    await conn.execute("SET search_path = pg_catalog, public")
    await conn.execute("SET lock_timeout = '7s'")
    await conn.execute("SET statement_timeout = '9s'")

    await migrate.up(conn, "public")

    assert await value(conn, "SHOW search_path") == "pg_catalog, public"
    assert await value(conn, "SHOW lock_timeout") == "7s"
    assert await value(conn, "SHOW statement_timeout") == "9s"
    assert await value(conn, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


# What others left


@pytest.mark.parametrize("version", [7, 8])
async def test_rivers_own_database_gets_only_our_steps(conn: AsyncConnection[TupleRow], version: int) -> None:
    await create_river(conn, version)
    await insert(conn)

    assert await migrate.up(conn) == ("history", *NAMES)

    await check(conn)
    assert (await status(conn)).river_versions == tuple(range(1, version + 1))
    assert await value(conn, "SELECT count(*) FROM river_job") == 1


async def test_going_down_gives_river_its_database_back(conn: AsyncConnection[TupleRow], empty_database: str) -> None:
    await create_river(conn, 7)
    before = dump_schema(empty_database)

    await migrate.up(conn)
    await migrate.down(conn, to=0)

    assert dump_schema(empty_database) == before


@pytest.mark.parametrize("version", [4, 6])
async def test_an_older_river_is_refused_with_its_own_command(
    conn: AsyncConnection[TupleRow], empty_database: str, version: int
) -> None:
    await create_river(conn, version)
    before = dump_schema(empty_database)

    with pytest.raises(SchemaError, match=rf"at version {version}; .*run: river migrate-up --database-url"):
        await migrate.up(conn)

    with pytest.raises(SchemaError, match="run: river migrate-up"):
        await check(conn)
    assert dump_schema(empty_database) == before


async def test_a_newer_river_is_refused(conn: AsyncConnection[TupleRow]) -> None:
    await migrate.up(conn)
    await conn.execute("INSERT INTO river_migration (line, version) VALUES ('main', 9)")

    for call in (migrate.up(conn), check(conn)):
        with pytest.raises(SchemaError, match="River's tables at version 9; this release knows 7 and 8"):
            await call


@pytest.mark.parametrize(
    ("setup", "says"),
    [
        ("CREATE TABLE river_job (id int)", "river_job but no river_migration: not River's; rename"),
        ("CREATE TABLE river_migration (version text)", "river_migration without a version of River's line main"),
        ("CREATE TABLE river_migration (line text, version bigint)", "without a version of River's line main"),
        (
            """
            CREATE TABLE river_migration (line text, version bigint);
            INSERT INTO river_migration VALUES ('main', 7);
            CREATE TABLE river_job (id int, state text)
            """,
            "river_job.id of type int4 instead of int8, river_job.state of type text instead of river_job_state, no ",
        ),
        ("CREATE VIEW river_queue AS SELECT 1 AS name", "river_queue but no river_migration"),
    ],
)
async def test_foreign_tables_are_refused_and_left_alone(
    conn: AsyncConnection[TupleRow], empty_database: str, setup: str, says: str
) -> None:
    await conn.execute(setup.encode())
    before = dump_schema(empty_database)

    with pytest.raises(SchemaError, match=says) as refused:
        await migrate.up(conn)
    with pytest.raises(SchemaError):
        await migrate.down(conn, to=0, drop_river=True)

    assert "queuectl migrate up" in str(refused.value)
    assert (await status(conn)).pending == ()
    assert dump_schema(empty_database) == before


async def test_a_foreign_type_of_the_same_name_is_named_and_nothing_is_made(
    conn: AsyncConnection[TupleRow], empty_database: str
) -> None:
    await conn.execute("CREATE TYPE river_job_state AS ENUM ('open')")
    before = dump_schema(empty_database)

    with pytest.raises(SchemaError, match=r'step river failed .*type "river_job_state" already exists'):
        await migrate.up(conn)

    assert dump_schema(empty_database) == before


async def test_columns_that_another_client_added_do_no_harm(conn: AsyncConnection[TupleRow]) -> None:
    await create_river(conn, 8)
    await conn.execute("ALTER TABLE river_job ADD COLUMN tenant text")

    assert await migrate.up(conn) == ("history", *NAMES)


async def test_river_stays_while_another_product_stands_on_it(conn: AsyncConnection[TupleRow]) -> None:
    await migrate.up(conn)
    await conn.execute("INSERT INTO river_migration (line, version) VALUES ('pro', 1)")

    with pytest.raises(Conflict, match=r"another line \(pro\)"):
        await migrate.down(conn, to=0, drop_river=True)

    assert (await status(conn)).river_version == 8


# What a role asks at its start


async def test_check_names_the_command_for_an_empty_database(conn: AsyncConnection[TupleRow]) -> None:
    with pytest.raises(
        SchemaError, match='has no Riverrun tables; run: queuectl migrate up --database-url "'
    ) as missing:
        await check(conn)
    with pytest.raises(SchemaError, match=r"--schema Jobs$"):
        await check(conn, "Jobs")

    assert "--schema" not in str(missing.value)


async def test_a_server_older_than_those_we_test_on_is_refused_and_left_as_it_is(
    conn: AsyncConnection[TupleRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    major = conn.info.server_version // 10_000
    monkeypatch.setattr(schema_check, "OLDEST_POSTGRES", major + 1)
    refusal = f"PostgreSQL {major} is too old; Riverrun works on {major + 1} and newer"

    with pytest.raises(SchemaError, match=refusal):
        await migrate.up(conn)
    with pytest.raises(SchemaError, match=refusal):
        await check(conn)

    assert (await status(conn)).river_version is None


async def test_check_names_the_command_for_an_older_schema(conn: AsyncConnection[TupleRow]) -> None:
    await migrate.up(conn, to=3)

    with pytest.raises(SchemaError, match=rf"at version 3 of {latest()}; run: queuectl migrate up"):
        await check(conn)


async def test_a_newer_schema_that_does_without_this_release_is_refused_by_all(conn: AsyncConnection[TupleRow]) -> None:
    await migrate.up(conn)
    await _migrated_by_a_newer_release(conn, f"{latest() + 1:03}_drop_lanes_ends_{latest():03}")

    for call in (check(conn), migrate.up(conn), migrate.down(conn, to=0)):
        with pytest.raises(SchemaError, match=NEWER):
            await call


@pytest.mark.parametrize("name", ["add_lanes", f"drop_lanes_ends_{latest() - 1:03}"], ids=["expands", "contracts"])
async def test_a_newer_schema_that_this_release_survives_is_worked_on_and_left_as_it_is(
    conn: AsyncConnection[TupleRow], name: str
) -> None:
    await migrate.up(conn)
    await _migrated_by_a_newer_release(conn, f"{latest() + 1:03}_{name}")

    await check(conn)
    assert await migrate.up(conn) == ()
    found = await status(conn)
    assert (found.version, found.pending, found.problem) == (latest() + 1, (), None)
    with pytest.raises(SchemaError, match=NEWER):
        await migrate.down(conn, to=0)


async def _migrated_by_a_newer_release(conn: AsyncConnection[TupleRow], name: str) -> None:
    await conn.execute("INSERT INTO riverrun_migration (version, name) VALUES (%s, %s)", [latest() + 1, name])


async def test_check_is_one_statement(empty_database: str) -> None:
    async with await CountingConnection.connect(empty_database, autocommit=True) as conn:
        await migrate.up(conn)
        before = conn.executed

        await check(conn)

        assert conn.executed == before + 1


async def test_check_tells_a_role_without_rights_what_to_grant(conn: AsyncConnection[TupleRow]) -> None:
    await migrate.up(conn)
    async with conn.transaction(force_rollback=True):
        await conn.execute("CREATE ROLE riverrun_without_rights")
        await conn.execute("SET LOCAL ROLE riverrun_without_rights")

        with pytest.raises(SchemaError, match="grant this role SELECT on riverrun_migration and river_migration"):
            await check(conn)


# Schemas


@pytest.mark.parametrize("schema", ["MyApp", "select", "_9", "s" * 46])
async def test_tables_can_live_in_a_schema_of_any_allowed_name(conn: AsyncConnection[TupleRow], schema: str) -> None:
    assert await migrate.up(conn, schema) == ("river", "history", *NAMES)

    await check(conn, schema)
    assert (await status(conn, schema)).pending == ()
    assert (await status(conn)).river_versions == ()
    assert await migrate.up(conn, schema) == ()


async def test_two_schemas_of_one_database_know_nothing_of_each_other(conn: AsyncConnection[TupleRow]) -> None:
    await migrate.up(conn, "First")
    await create_river(conn, 7, "second")
    await migrate.up(conn, "second", to=2)
    await conn.execute("INSERT INTO \"First\".river_job (kind, args) VALUES ('email', '{}')")

    await migrate.down(conn, "First", to=0)

    assert (await status(conn, "second")).version == 2
    assert await value(conn, "SELECT count(*) FROM second.river_job") == 0
    assert await value(conn, 'SELECT count(*) FROM "First".river_job') == 1


@pytest.mark.parametrize("schema", ["", "9lives", 'a"b', "a-b", "a.b", "s" * 47, "pg_jobs", "été"])
async def test_a_schema_name_that_river_cannot_use_is_refused(conn: AsyncConnection[TupleRow], schema: str) -> None:
    for call in (migrate.up(conn, schema), status(conn, schema), check(conn, schema)):
        with pytest.raises(InvalidInput, match="1 to 46 letters"):
            await call
