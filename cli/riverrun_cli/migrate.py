"""``queuectl migrate``: the only way by which the tables of a production database change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

import click
import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from riverrun.database import migrate as migrator
from riverrun.database.migration_files import checked_version
from riverrun.database.schema_check import Status
from riverrun.database.schema_check import status as schema_status
from riverrun.database.schema_script import script
from riverrun.errors import DatabaseUnavailable, InvalidInput
from riverrun_cli.database import Access, with_database
from riverrun_cli.inputs import confirm, yes_option
from riverrun_cli.language import say
from riverrun_cli.noun import NounGroup


@click.group(cls=NounGroup)
def migrate() -> None:
    """Create, change or remove the tables that jobs live in.

    The database is the configured one, unless --database-url or DATABASE_URL names another; without any, the embedded
    one if it runs.
    """


def _version(_ctx: click.Context, _param: click.Parameter, value: int | None) -> int | None:
    try:
        return None if value is None else checked_version(value)
    except InvalidInput as error:
        raise click.BadParameter(f"{value} is not allowed; expected {error.allowed}") from error


@migrate.command
@click.option("--to", type=int, callback=_version, metavar="N", help="Stop at version N; 0 makes River's tables only.")
@with_database
def up(access: Access, /, *, to: int | None) -> None:
    """Create the tables, or bring them to this release's version; running daemons and clients go on."""

    async def run() -> tuple[str, ...]:
        async with _connection(access.dsn) as conn:
            return await migrator.up(conn, access.settings.postgresql.schema_name, to=to)

    _report("applied", asyncio.run(run()))


@migrate.command
@click.option("--to", type=int, callback=_version, metavar="N", help="Go down to version N; without it, by one step.")
@click.option("--drop-river", is_flag=True, help="With --to 0: remove River's tables as well, with every job.")
@yes_option
@with_database
def down(access: Access, /, *, to: int | None, drop_river: bool, yes: bool) -> None:
    """Undo migrations, newest first. Down to 0 leaves a plain River database with its jobs."""
    if drop_river and to != 0:
        raise click.UsageError(say("--drop-river needs --to 0: River's tables go last"))
    dsn, schema = access.dsn, access.settings.postgresql.schema_name

    async def run() -> tuple[str, ...]:
        async with _connection(dsn) as conn:
            found = await schema_status(conn, schema)
            target = max(min(found.version, found.latest) - 1, 0) if to is None else to
            return await migrator.down(conn, schema, to=target, drop_river=drop_river)

    confirm(say("Remove tables, with the data in them?"), yes=yes)
    _report("undone", asyncio.run(run()))


@migrate.command
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@with_database
def status(access: Access, /, *, output: str) -> None:
    """Show what is in the database and which steps `up` would run."""

    async def run() -> Status:
        async with _connection(access.dsn) as conn:
            return await schema_status(conn, access.settings.postgresql.schema_name)

    found = asyncio.run(run())
    if output == "json":
        fields = {name: value for name, value in asdict(found).items() if name != "has_history"}
        click.echo(json.dumps({**fields, "river_version": found.river_version}))
        return
    click.echo(f"schema    {found.schema}")
    click.echo(f"river     {found.river_version or 'none'}")
    click.echo(f"riverrun  {found.version} of {found.latest}")
    click.echo(f"pending   {' '.join(found.pending) or 'none'}")
    if found.pending:
        click.echo(
            f"needed    {' '.join(found.needed) or 'none: this release works without them, the next one may not'}"
        )
    if found.problem:
        click.echo(f"problem   {found.problem}")


@migrate.command
@click.option("--to", type=int, callback=_version, metavar="N", help="Stop at version N; 0 makes River's tables only.")
@with_database
def sql(access: Access, /, *, to: int | None) -> None:
    """Print the whole schema as a script for psql; needs no database."""
    click.echo(script(access.settings.postgresql.schema_name, to=to), nl=False)


@asynccontextmanager
async def _connection(dsn: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Connect without the limits on a statement that the roles have: a migration may take as long as it needs."""
    name = conninfo_to_dict(dsn).get("application_name") or "riverrun/migrate"
    try:
        conn = await AsyncConnection.connect(dsn, autocommit=True, application_name=name)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"the database cannot be reached: {error}") from error
    async with conn:
        yield conn


def _report(done: str, steps: tuple[str, ...]) -> None:
    for step in steps:
        click.echo(f"{done} {step}")
    if not steps:
        click.echo(say("nothing to do"), err=True)
