"""``queuectl doctor``: asks the database everything that an experienced operator would, and says what is wrong."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import click

from riverrun.errors import ConfigError
from riverrun_cli.database import Access, with_database
from riverrun_cli.doctor.finding import Finding, error
from riverrun_cli.language import say
from riverrun_cli.options import output_option
from riverrun_cli.output import write_rows

PROBLEMS_FOUND = 10
_COLUMNS = ("severity", "check", "finding", "mend")


@click.command
@output_option
@with_database
def doctor(access: Access, /, *, output: str) -> None:
    """Say what is wrong with the database and the fleet, and what mends it; exit code 10 when anything is.

    Changes nothing. Needs no daemon; a role with pg_monitor sees the age of other roles' transactions too.
    """
    found = _findings(access)
    rows = [{**asdict(each), "finding": say(each.finding), "mend": say(each.mend)} for each in found]
    write_rows(rows, columns=_COLUMNS, output=output, identity="check")
    if found:
        click.get_current_context().exit(PROBLEMS_FOUND)
    click.echo(say("nothing is wrong"), err=True)


def _findings(access: Access) -> list[Finding]:
    from riverrun_cli.doctor.examine import examine  # noqa: PLC0415 - the help does not wait for the driver

    try:
        return asyncio.run(examine(access.dsn, access.settings))
    except ConfigError as refusal:
        return [
            error("configuration", problem, mend="correct it, then: queuectl config check")
            for problem in refusal.problems
        ]
