"""Brings the tables of a database to the ones this release works on, and back, while others work on them.

A step waits two seconds for its locks, gives way and tries again, so that claims queue up behind it no longer than
that. What a step does commits together with its row in riverrun_migration; a step that cannot run in a transaction
can be repeated instead. So a migrator may be killed anywhere: the next one goes on where it stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from riverrun.database.migration_files import (
    Migration,
    Script,
    checked_version,
    history_table,
    missing_steps,
    numbered,
    river_tables,
)
from riverrun.database.migrator_lock import LOCK_TIMEOUT, milliseconds, only_migrator, pause
from riverrun.database.schema_check import Status, newer, schema_name, status
from riverrun.database.sql_files import sql_folder
from riverrun.errors import Conflict, DatabaseUnavailable, InvalidInput, RiverrunError, SchemaError

PATIENCE = timedelta(minutes=5)
_RECORD = b"INSERT INTO riverrun_migration (version, name) VALUES (%(version)s::int, %(name)s::text)"
_FORGET = b"DELETE FROM riverrun_migration WHERE version = %(version)s::int AND name = %(name)s::text"

log = logging.getLogger(__name__)


async def up(
    conn: AsyncConnection[TupleRow], schema: str | None = None, *, to: int | None = None, patience: timedelta = PATIENCE
) -> tuple[str, ...]:
    """Run every step that is missing, up to version ``to``, and return their names.

    Makes River's tables when there are none; leaves those that River made as they are.

    Args:
        conn: A direct connection in autocommit mode, not one through a pooler that shares sessions.
        schema: Where the tables live; made when missing. Without one, where the connection would create a table.
        to: Version of Riverrun's line to stop at; 0 stops after River's tables.
        patience: How long to try for the lock of another migrator, and then for the locks of each step.

    Raises:
        InvalidInput: There is no such version, or ``schema`` is not a name that River's clients can use.
        SchemaError: The tables there are not River's, too old or too new, or PostgreSQL refused a step.
        Conflict: ``patience`` ran out.
        DatabaseUnavailable: The connection was lost; the same call goes on where it stopped.
    """
    target = checked_version(to)
    async with _alone(conn, schema, patience) as found:
        if found.problem:
            raise SchemaError(found.problem)
        await _create_schema(conn, found.schema)
        steps = missing_steps(
            has_river=bool(found.river_versions), has_history=found.has_history, version=found.version, to=target
        )
        for step in steps:
            await _run(conn, step, step.up, record=_RECORD, patience=patience)
        return tuple(step.name for step in steps)


async def down(
    conn: AsyncConnection[TupleRow],
    schema: str | None = None,
    *,
    to: int,
    drop_river: bool = False,
    patience: timedelta = PATIENCE,
) -> tuple[str, ...]:
    """Undo every step above version ``to``, newest first, and return their names.

    Version 0 leaves a plain River database with its jobs; ``drop_river`` removes that too, with every job in it.
    Arguments and errors are those of ``up``.

    Raises:
        Conflict: Also when jobs have a priority that River does not allow, or another product uses River's tables.
    """
    target = checked_version(to)
    if drop_river and target:
        raise InvalidInput("to", to, "0 when River's tables are dropped as well")
    async with _alone(conn, schema, patience) as found:
        if found.version > found.latest:
            raise SchemaError(newer(found.schema, found.version))
        if found.problem and drop_river:
            raise SchemaError(found.problem)
        steps = [step for step in reversed(numbered()) if target < step.version <= found.version]
        if found.has_history and target == 0:
            steps.append(history_table())
        if drop_river and found.river_versions:
            steps.append(river_tables())
        for step in steps:
            await _run(conn, step, step.down, record=_FORGET, patience=patience)
        return tuple(step.name for step in steps)


@asynccontextmanager
async def _alone(conn: AsyncConnection[TupleRow], schema: str | None, patience: timedelta) -> AsyncIterator[Status]:
    """Hold the migrators' lock and give what is in the schema under it; the driver's errors become ours."""
    try:
        name = await schema_name(conn, schema)
        async with only_migrator(conn, name, patience=patience):
            yield await status(conn, name)
    except psycopg.Error as error:
        raise _explained(error, conn, "the migration") from error


async def _run(
    conn: AsyncConnection[TupleRow], step: Migration, script: Script, *, record: bytes, patience: timedelta
) -> None:
    """Run one step and record it, again and again until it gets its locks."""
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            await _run_once(conn, step, script, record=record, patience=patience)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if time.monotonic() >= deadline:
                raise Conflict(
                    f"step {step.name} did not get its locks within {patience.total_seconds():g} s: a long transaction"
                    " uses the table (the oldest xact_start in pg_stat_activity); run the same command again after it"
                ) from error
            await pause()
        except psycopg.Error as error:
            raise _explained(error, conn, f"step {step.name}") from error
        else:
            log.info("migration_applied", extra={"step": step.name})
            return


async def _run_once(
    conn: AsyncConnection[TupleRow], step: Migration, script: Script, *, record: bytes, patience: timedelta
) -> None:
    if not script.in_transaction:
        await _drop_half_built_indexes(conn, patience)
    async with conn.transaction() if script.in_transaction else nullcontext():
        for statement in script.statements:
            # One that runs concurrently stops nobody while it waits, and would have to start anew.
            await _limit_lock_waits(conn, patience if " CONCURRENTLY " in statement else LOCK_TIMEOUT)
            await conn.execute(statement.encode())
        if step.version:
            await conn.execute(record, {"version": step.version, "name": step.name})


async def _drop_half_built_indexes(conn: AsyncConnection[TupleRow], patience: timedelta) -> None:
    """Remove what a killed migrator left: its name would pass for the index that it is not."""
    query = (sql_folder() / "migrations" / "invalid_indexes.sql").read_bytes()
    for (name,) in await (await conn.execute(query)).fetchall():
        await _limit_lock_waits(conn, patience)
        await conn.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(name)))


async def _limit_lock_waits(conn: AsyncConnection[TupleRow], limit: timedelta) -> None:
    await conn.execute("SELECT set_config('lock_timeout', %s::text, false)", (milliseconds(limit),))


async def _create_schema(conn: AsyncConnection[TupleRow], schema: str) -> None:
    """Create the schema when it is missing; PostgreSQL asks for more rights even when IF NOT EXISTS does nothing."""
    row = await (await conn.execute("SELECT current_schema()")).fetchone()
    if row == (None,):
        await conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))


def _explained(error: psycopg.Error, conn: AsyncConnection[TupleRow], what: str) -> RiverrunError:
    """Return the error that tells the reader what to do about the driver's."""
    said = error.diag.message_primary or str(error)
    if conn.closed:
        return DatabaseUnavailable(f"{what} lost its connection ({said}); the same command again goes on from there")
    if isinstance(error, psycopg.errors.RaiseException):
        return Conflict(f"{what} was refused: {said}")
    return SchemaError(f"{what} failed and changed nothing more: {said}")
