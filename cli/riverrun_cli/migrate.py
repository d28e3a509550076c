"""``queuectl migrate``: the only way by which the tables of a production database change.

Exit codes: 0 done, 2 usage, 4 the database's present state forbids it, 6 the database cannot be reached.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict

import click
import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from riverrun.database import migrate as migrator
from riverrun.database.migration_files import checked_schema, checked_version
from riverrun.database.schema_check import Status
from riverrun.database.schema_check import status as schema_status
from riverrun.database.schema_script import script
from riverrun.errors import Conflict, DatabaseUnavailable, InvalidInput, SchemaError

ResolveDsn = Callable[[], str | None]


def migrate_group(resolve_dsn: ResolveDsn = lambda: None) -> click.Group:
    """Return the command group ``migrate``.

    Args:
        resolve_dsn: Gives the database that the configuration names, or ``None``; asked only when neither
            ``--database-url`` nor ``DATABASE_URL`` names one.
    """
    return click.Group(
        "migrate",
        commands=[up, down, status, sql],
        help="Create, change or remove the tables that jobs live in.",
        context_settings={"obj": resolve_dsn},
    )


def _schema(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else checked_schema(value)
    except InvalidInput as error:
        raise click.BadParameter(f"{value!r} is not allowed; expected {error.allowed}") from error


def _version(_ctx: click.Context, _param: click.Parameter, value: int | None) -> int | None:
    try:
        return None if value is None else checked_version(value)
    except InvalidInput as error:
        raise click.BadParameter(f"{value} is not allowed; expected {error.allowed}") from error


_url_option = click.option(
    "--database-url",
    envvar="DATABASE_URL",
    metavar="URL",
    help="postgres://user:password@host/database?sslmode=…  [environment: DATABASE_URL]",
)
_schema_option = click.option("--schema", callback=_schema, metavar="S", help="PostgreSQL schema of the tables.")


@click.command
@_url_option
@_schema_option
@click.option("--to", type=int, callback=_version, metavar="N", help="Stop at version N; 0 makes River's tables only.")
@click.pass_obj
def up(resolve_dsn: ResolveDsn, database_url: str | None, schema: str | None, to: int | None) -> None:
    """Create the tables, or bring them to this release's version; running daemons and clients go on."""

    async def run() -> tuple[str, ...]:
        async with _connection(database_url or resolve_dsn()) as conn:
            return await migrator.up(conn, schema, to=to)

    with _exit_codes():
        _report("applied", asyncio.run(run()))


@click.command
@_url_option
@_schema_option
@click.option("--to", type=int, callback=_version, metavar="N", help="Go down to version N; without it, by one step.")
@click.option("--drop-river", is_flag=True, help="With --to 0: remove River's tables as well, with every job.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def down(
    resolve_dsn: ResolveDsn,
    *,
    database_url: str | None,
    schema: str | None,
    to: int | None,
    drop_river: bool,
    yes: bool,
) -> None:
    """Undo migrations, newest first. Down to 0 leaves a plain River database with its jobs."""
    if drop_river and to != 0:
        raise click.UsageError("--drop-river needs --to 0: River's tables go last")

    async def run() -> tuple[str, ...]:
        async with _connection(database_url or resolve_dsn()) as conn:
            found = await schema_status(conn, schema)
            target = max(min(found.version, found.latest) - 1, 0) if to is None else to
            return await migrator.down(conn, schema, to=target, drop_river=drop_river)

    _confirm("Remove tables, with the data in them?", yes=yes)
    with _exit_codes():
        _report("undone", asyncio.run(run()))


@click.command
@_url_option
@_schema_option
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def status(resolve_dsn: ResolveDsn, database_url: str | None, schema: str | None, output: str) -> None:
    """Show what is in the database and which steps `up` would run."""

    async def run() -> Status:
        async with _connection(database_url or resolve_dsn()) as conn:
            return await schema_status(conn, schema)

    with _exit_codes():
        found = asyncio.run(run())
    if output == "json":
        fields = {name: value for name, value in asdict(found).items() if name != "has_history"}
        click.echo(json.dumps({**fields, "river_version": found.river_version}))
        return
    click.echo(f"schema    {found.schema}")
    click.echo(f"river     {found.river_version or 'none'}")
    click.echo(f"riverrun  {found.version} of {found.latest}")
    click.echo(f"pending   {' '.join(found.pending) or 'none'}")
    if found.problem:
        click.echo(f"problem   {found.problem}")


@click.command
@_schema_option
@click.option("--to", type=int, callback=_version, metavar="N", help="Stop at version N; 0 makes River's tables only.")
def sql(schema: str | None, to: int | None) -> None:
    """Print the whole schema as a script for psql; needs no database."""
    click.echo(script(schema, to=to), nl=False)


@asynccontextmanager
async def _connection(url: str | None) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Connect with a limit on every wait; no message repeats the URL, which may hold a password."""
    if not url:
        raise click.UsageError("no database is named; give --database-url or set DATABASE_URL")
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Its cause would quote the URL.
        message = "the database URL is not one; expected postgres://user:password@host:port/database"
        raise click.UsageError(message) from None
    timeout = given.get("connect_timeout") or 10
    name = given.get("application_name") or "riverrun/migrate"
    try:
        conn = await AsyncConnection.connect(url, autocommit=True, connect_timeout=timeout, application_name=name)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"the database cannot be reached: {_one_line(error)}") from error
    async with conn:
        yield conn


class _Refused(click.ClickException):
    exit_code = 4


class _Unavailable(click.ClickException):
    exit_code = 6


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Turn an error into one sentence on stderr and the exit code for it."""
    try:
        yield
    except (SchemaError, Conflict, InvalidInput) as error:
        raise _Refused(_one_line(error)) from error
    except (DatabaseUnavailable, psycopg.OperationalError) as error:
        raise _Unavailable(_one_line(error)) from error
    except psycopg.Error as error:
        raise click.ClickException(_one_line(error)) from error


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("this removes data; say --yes where nobody can be asked")
    click.confirm(question, abort=True, err=True)


def _report(done: str, steps: tuple[str, ...]) -> None:
    for step in steps:
        click.echo(f"{done} {step}")
    if not steps:
        click.echo("nothing to do", err=True)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
