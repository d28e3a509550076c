"""A release and the tables of the one before: which steps may be missing, and who says what is to be run."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database import migrate, migration_files
from riverrun.database.migration_files import latest, oldest
from riverrun.database.schema_check import check, status
from riverrun.errors import SchemaError
from riverrun_cli.doctor.examine import examine
from support.contexts import settings_for
from support.names import ROOT
from support.plans import with_numbers
from support.steps import add_step

pytestmark = pytest.mark.every_postgres

BringAlong = Callable[..., str]


@pytest.fixture
async def conn(empty_database: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    async with await AsyncConnection.connect(empty_database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def bring_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BringAlong]:
    """Give a function by which this release brings one more step along."""
    shutil.copytree(ROOT / "sql" / "migrations", tmp_path / "migrations")
    monkeypatch.setattr(migration_files, "sql_folder", lambda: tmp_path)
    migration_files.numbered.cache_clear()

    def add(*, needed: bool) -> str:
        name = add_step(tmp_path / "migrations", needed=needed)
        migration_files.numbered.cache_clear()
        return name

    yield add
    migration_files.numbered.cache_clear()


async def test_tables_that_lack_only_what_the_next_release_needs_are_worked_on_with_a_word_about_it(
    conn: AsyncConnection[TupleRow], bring_along: BringAlong
) -> None:
    await migrate.up(conn)
    step = bring_along(needed=False)

    said = await check(conn)
    found = await status(conn)
    await migrate.up(conn)

    assert said is not None
    assert f"at version {latest() - 1} of {latest()}; this release works on them" in said
    assert said.endswith('; run: queuectl migrate up --database-url "$DATABASE_URL"')
    assert (found.pending, found.needed, found.problem) == ((step,), (), None)
    assert await check(conn) is None


async def test_tables_that_lack_a_step_which_is_needed_are_refused(
    conn: AsyncConnection[TupleRow], bring_along: BringAlong
) -> None:
    await migrate.up(conn)
    step = bring_along(needed=True)

    with pytest.raises(SchemaError, match=rf"at version {latest() - 1} of {latest()}; run: queuectl migrate up"):
        await check(conn)
    assert (await status(conn)).needed == (step,)


async def test_a_step_that_is_needed_makes_those_before_it_needed(
    conn: AsyncConnection[TupleRow], bring_along: BringAlong
) -> None:
    await migrate.up(conn)
    ahead, needed = bring_along(needed=False), bring_along(needed=True)

    assert oldest() == latest()
    assert (await status(conn)).needed == (ahead, needed)


async def test_the_doctor_warns_of_steps_that_the_next_release_needs(
    conn: AsyncConnection[TupleRow], empty_database: str, bring_along: BringAlong
) -> None:
    await migrate.up(conn)
    bring_along(needed=False)

    found = {finding.check: finding for finding in await examine(empty_database, settings_for(empty_database))}

    assert found["migrations"].severity == "warning"
    assert found["migrations"].mend.startswith("queuectl migrate up")
    assert "schema" not in found


async def test_every_statement_is_understood_by_the_oldest_tables_that_are_worked_on(
    conn: AsyncConnection[TupleRow],
) -> None:
    await migrate.up(conn, to=oldest())

    assert [name for name in _statements() if not await _is_understood(conn, name)] == []


async def test_a_statement_that_needs_what_the_tables_lack_is_found(conn: AsyncConnection[TupleRow]) -> None:
    await migrate.up(conn, to=14)

    refused = [name for name in _statements() if not await _is_understood(conn, name)]

    assert "handler_register" in refused
    assert "job_claim" not in refused


def _statements() -> list[str]:
    return sorted(path.stem for path in (ROOT / "sql" / "queries").glob("*.sql"))


async def _is_understood(conn: AsyncConnection[TupleRow], name: str) -> bool:
    """Return whether the tables have what a statement names; it is not executed."""
    text, _ = with_numbers(name)
    try:
        if text.lstrip().startswith("COPY"):
            async with conn.cursor().copy(text.encode()):
                pass
        else:
            await conn.execute(f"PREPARE understood AS {text}".encode())
            await conn.execute("DEALLOCATE understood")
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        return False
    return True
