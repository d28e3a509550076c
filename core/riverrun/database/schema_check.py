"""Tells what is in a database before anybody works on it: nothing, River's tables, Riverrun's, or something foreign.

Every role calls ``check`` at its start. It works on the tables of its own release, on those of a newer one that does
not end it, and on older ones that lack no step which it needs: tables and hosts are upgraded one after the other, in
either order, and a process that dies meanwhile must be started again.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from riverrun.database.migration_files import (
    NEWEST_RIVER_VERSION,
    OLDEST_RIVER_VERSION,
    checked_schema,
    latest,
    missing_steps,
    oldest,
)
from riverrun.database.sql_files import sql_folder
from riverrun.errors import SchemaError

# What River's version 7 and 8 have in river_job; a client of another language may have added columns of its own.
_RIVER_JOB = {
    "id": "int8", "state": "river_job_state", "attempt": "int2", "max_attempts": "int2", "attempted_at": "timestamptz",
    "created_at": "timestamptz", "finalized_at": "timestamptz", "scheduled_at": "timestamptz", "priority": "int2",
    "args": "jsonb", "attempted_by": "_text", "errors": "_jsonb", "kind": "text", "metadata": "jsonb", "queue": "text",
    "tags": "_varchar", "unique_key": "bytea", "unique_states": "bit",
}  # fmt: skip
OLDEST_POSTGRES = 15
"""Major version of the oldest server that the tests run on; older ones are maintained by nobody."""

_RIVER_TABLES = ("river_job", "river_leader", "river_notification", "river_queue")
_ENDED = sql.SQL("coalesce(max(substring(name FROM '_ends_([0-9]+)$')::int), 0)")


@dataclass(frozen=True, slots=True)
class Status:
    """What is in one schema of a database.

    Attributes:
        schema: Name of the PostgreSQL schema.
        river_versions: Versions of River's line ``main`` that ran there, ascending; empty without River's tables.
        version: Version of Riverrun's tables, 0 without them.
        latest: Newest version that this release brings along.
        pending: Names of the steps that ``up`` would run, in order.
        needed: Those of them without which this release does not work; it starts when there are none.
        problem: One sentence on why this release can neither use nor migrate the schema, or ``None``.
        has_history: Whether the table that records Riverrun's steps exists.
    """

    schema: str
    river_versions: tuple[int, ...]
    version: int
    latest: int
    pending: tuple[str, ...]
    needed: tuple[str, ...]
    problem: str | None
    has_history: bool

    @property
    def river_version(self) -> int | None:
        """The version of River's tables, or ``None`` without them."""
        return self.river_versions[-1] if self.river_versions else None


async def status(conn: AsyncConnection[TupleRow], schema: str | None = None) -> Status:
    """Return what is in ``schema``; without one, in the schema where the connection would create a table.

    Raises:
        InvalidInput: ``schema`` is not a name that River's clients can use.
        SchemaError: No schema was given and none of the connection's ``search_path`` exists.
    """
    name = await schema_name(conn, schema)
    tables: dict[str, dict[str, str]] = {}
    query = (sql_folder() / "migrations" / "inspect.sql").read_bytes()
    for relation, column, type_name in await (await conn.execute(query, {"schema": name})).fetchall():
        tables.setdefault(relation, {})[column] = type_name
    river = await _river_versions(conn, name, tables.get("river_migration", {}))
    has_history = "riverrun_migration" in tables
    own, ended = await _own_versions(conn, name) if has_history else (0, 0)
    problem = newer(name, own) if ended >= latest() else _outdated(conn) or _problem(name, tables, river)
    steps = missing_steps(has_river=bool(river), has_history=has_history, version=own, to=latest())
    pending = () if problem else steps
    return Status(
        schema=name,
        river_versions=river,
        version=own,
        latest=latest(),
        pending=tuple(step.name for step in pending),
        needed=tuple(step.name for step in pending if step.version <= oldest()),
        problem=problem,
        has_history=has_history,
    )


async def check(conn: AsyncConnection[TupleRow], schema: str | None = None) -> str | None:
    """Return if the schema is one that this release works on; one statement when it is.

    Returns:
        When the tables lack steps that this release brings along but does not need: a sentence that says so and ends
        with the command to run; otherwise ``None``.

    Raises:
        InvalidInput: ``schema`` is not a name that River's clients can use.
        SchemaError: The tables are missing, older, too new or not River's, or the server is too old; the message ends
            with what to do.
    """
    if problem := _outdated(conn):
        raise SchemaError(problem)
    prefix = sql.SQL("") if schema is None else sql.Identifier(checked_schema(schema)) + sql.SQL(".")
    query = sql.SQL(
        "SELECT max(version), {ended}, (SELECT max(version) FROM {prefix}river_migration WHERE line = 'main')"
        " FROM {prefix}riverrun_migration"
    ).format(prefix=prefix, ended=_ENDED)
    try:
        row = await (await conn.execute(query)).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        row = None
    except psycopg.errors.InsufficientPrivilege as error:
        raise SchemaError(
            f"{error.diag.message_primary}; grant this role SELECT on riverrun_migration and river_migration"
        ) from error
    own, ended, river = row or (0, 0, 0)
    own = own or 0
    if not ended < latest() or own < oldest() or not OLDEST_RIVER_VERSION <= (river or 0) <= NEWEST_RIVER_VERSION:
        raise SchemaError(_unusable(await status(conn, schema)))
    return _behind(await status(conn, schema)) if own < latest() else None


async def schema_name(conn: AsyncConnection[TupleRow], schema: str | None) -> str:
    """Return ``schema``, checked, or the one where the connection would create a table.

    Raises:
        InvalidInput: ``schema`` is not a name that River's clients can use.
        SchemaError: No schema was given and none of the connection's ``search_path`` exists.
    """
    if schema is not None:
        return checked_schema(schema)
    row = await (await conn.execute("SELECT current_schema()")).fetchone()
    if row is None or row[0] is None:
        raise SchemaError("no schema of the connection's search_path exists; name one with --schema")
    return checked_schema(row[0])


async def _river_versions(conn: AsyncConnection[TupleRow], schema: str, columns: dict[str, str]) -> tuple[int, ...]:
    """Return the versions in river_migration, whose column ``line`` came with version 5."""
    if columns.get("version") != "int8":
        return ()
    main = sql.SQL("WHERE line = 'main'") if "line" in columns else sql.SQL("")
    query = sql.SQL("SELECT version FROM {} {} ORDER BY version").format(
        sql.Identifier(schema, "river_migration"), main
    )
    return tuple(row[0] for row in await (await conn.execute(query)).fetchall())


async def _own_versions(conn: AsyncConnection[TupleRow], schema: str) -> tuple[int, int]:
    """Return the version of our tables, and the newest one whose release cannot work on them any more."""
    table = sql.Identifier(schema, "riverrun_migration")
    query = sql.SQL("SELECT coalesce(max(version), 0), {} FROM {}").format(_ENDED, table)
    row = await (await conn.execute(query)).fetchone()
    return row[0] if row else 0, row[1] if row else 0


def newer(schema: str, version: int) -> str:
    """Return one sentence on why tables of a newer release are not touched, with the command to run."""
    return (
        f'schema "{schema}" has Riverrun\'s tables at version {version}, made by a newer release; this one works on'
        f" {latest()}; install the newer release, or run with it: {command('down', schema)} --to {latest()}"
    )


def _outdated(conn: AsyncConnection[TupleRow]) -> str | None:
    major = conn.info.server_version // 10_000
    if major >= OLDEST_POSTGRES:
        return None
    return f"PostgreSQL {major} is too old; Riverrun works on {OLDEST_POSTGRES} and newer; upgrade the server"


def _problem(schema: str, tables: dict[str, dict[str, str]], river: tuple[int, ...]) -> str | None:
    """Return one sentence on why these tables cannot be worked on, or ``None``."""
    where = f'schema "{schema}"'
    elsewhere = f"rename what is there, or choose another schema: {command('up', 'SCHEMA')}"
    if "river_migration" not in tables:
        foreign = sorted(set(tables) & {*_RIVER_TABLES})
        return f"{where} has {', '.join(foreign)} but no river_migration: not River's; {elsewhere}" if foreign else None
    if not river:
        return f"{where} has a table river_migration without a version of River's line main; {elsewhere}"
    if river[-1] < OLDEST_RIVER_VERSION:
        return (
            f"{where} has River's tables at version {river[-1]}; Riverrun works on {OLDEST_RIVER_VERSION} and"
            f' {NEWEST_RIVER_VERSION}; run: river migrate-up --database-url "$DATABASE_URL"'
            + ("" if schema == "public" else f" --schema {schema}")
        )
    if river[-1] > NEWEST_RIVER_VERSION:
        return (
            f"{where} has River's tables at version {river[-1]}; this release knows {OLDEST_RIVER_VERSION} and"
            f" {NEWEST_RIVER_VERSION}; run: pip install --upgrade riverrun"
        )
    differences = _differences(tables)
    return f"{where} has {differences}: not what River made; {elsewhere}" if differences else None


def _differences(tables: dict[str, dict[str, str]]) -> str:
    """Return how the tables differ from River's, as part of a sentence; empty when they do not."""
    missing = [f"no table {name}" for name in _RIVER_TABLES if name not in tables]
    columns = tables.get("river_job", _RIVER_JOB)
    wrong = [
        f"river_job.{name} of type {columns[name]} instead of {wanted}" if name in columns else f"no river_job.{name}"
        for name, wanted in _RIVER_JOB.items()
        if columns.get(name) != wanted
    ]
    return ", ".join(missing + wrong)


def _unusable(found: Status) -> str:
    """Return why no role can start on what was found, and the command to run."""
    if found.problem:
        return found.problem
    if not found.version:
        return f'schema "{found.schema}" has no Riverrun tables; run: {command("up", found.schema)}'
    return f"{_how_far(found)}; run: {command('up', found.schema)}"


def _behind(found: Status) -> str:
    """Return what the tables lack although this release works on them, and the command to run."""
    return f"{_how_far(found)}; this release works on them, the next one may not; run: {command('up', found.schema)}"


def _how_far(found: Status) -> str:
    return f'schema "{found.schema}" has Riverrun\'s tables at version {found.version} of {found.latest}'


def command(verb: str, schema: str) -> str:
    """Return the migration command that a message tells the reader to type."""
    base = f'queuectl migrate {verb} --database-url "$DATABASE_URL"'
    return base if schema == "public" else f"{base} --schema {schema}"
