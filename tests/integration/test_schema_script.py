"""The script for ``psql`` against the migrations that it is written from."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database import migrate
from riverrun.database.migration_files import numbered
from riverrun.database.postgres_binaries import wheel_binaries
from riverrun.database.schema_check import status
from riverrun.database.schema_script import script
from riverrun.database.sql_files import sql_folder
from support.jobs import insert
from support.queries import value
from support.river_database import create_river
from support.schema_dump import dump_schema, migration_rows

NAMES = tuple(step.name for step in numbered())
INIT_SCRIPT = "init-river-postgresql.sql"

pytestmark = pytest.mark.every_postgres


@pytest.fixture
async def conn(empty_database: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    async with await AsyncConnection.connect(empty_database, autocommit=True) as connection:
        yield connection


def psql(dsn: str, file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(wheel_binaries().folder / "psql"), "-X", "-d", dsn, "-f", str(file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_the_committed_script_is_what_migrate_sql_prints() -> None:
    assert (sql_folder() / INIT_SCRIPT).read_text(encoding="utf-8") == script()


async def test_the_script_makes_what_the_migrations_make(conn: AsyncConnection[TupleRow], empty_database: str) -> None:
    await migrate.up(conn)
    by_migration = dump_schema(empty_database), await migration_rows(conn)
    await migrate.down(conn, to=0, drop_river=True)

    done = psql(empty_database, Path(str(sql_folder() / INIT_SCRIPT)))

    assert (done.returncode, done.stderr) == (0, "")
    assert (dump_schema(empty_database), await migration_rows(conn)) == by_migration
    assert await migrate.up(conn) == ()


@pytest.mark.parametrize("version", [8, None])
async def test_the_script_stops_where_tables_exist_and_changes_nothing(
    conn: AsyncConnection[TupleRow], empty_database: str, version: int | None
) -> None:
    await (create_river(conn, version) if version else migrate.up(conn))
    await insert(conn)
    before = dump_schema(empty_database)

    done = psql(empty_database, Path(str(sql_folder() / INIT_SCRIPT)))

    assert done.returncode != 0
    assert 'relation "river_migration" already exists' in done.stderr
    assert dump_schema(empty_database) == before
    assert await value(conn, "SELECT count(*) FROM river_job") == 1


async def test_the_script_can_fill_a_schema_and_stop_at_a_version(
    conn: AsyncConnection[TupleRow], empty_database: str, tmp_path: Path
) -> None:
    file = tmp_path / "schema.sql"
    file.write_text(script("MyApp", to=2), encoding="utf-8")

    done = psql(empty_database, file)

    assert (done.returncode, done.stderr) == (0, "")
    found = await status(conn, "MyApp")
    assert (found.version, found.pending) == (2, NAMES[2:])
    assert re.findall("CONCURRENTLY|no transaction", script()) == []
