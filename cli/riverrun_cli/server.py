"""``queuectl server``: the hosts of the fleet, as the database last heard of them."""

from __future__ import annotations

from dataclasses import asdict

import click

from riverrun_cli.database import Access, with_database
from riverrun_cli.noun import NounGroup
from riverrun_cli.options import output_option
from riverrun_cli.output import write_rows

_COLUMNS = ("server_id", "alive", "leads", "roles", "executors", "slots", "heartbeat_at")
_WIDE = ("host", "pid", "version", "started_at")


@click.group(cls=NounGroup)
def server() -> None:
    """List the hosts of the fleet; hand over the lead."""


@server.command(name="list")
@output_option
@with_database
def list_servers(access: Access, /, *, output: str) -> None:
    """List the hosts that run a daemon; one that was silent for 30 seconds is not alive."""
    from riverrun.store import statistics  # noqa: PLC0415 - the help does not wait for the driver

    with access.client() as client:
        rows = [asdict(each) for each in client.run(statistics.servers())]
    write_rows(rows, columns=_COLUMNS, output=output, wide=_WIDE, identity="server_id")


@server.command(name="resign")
@with_database
def resign(access: Access, /) -> None:
    """Ask whoever does the maintenance, our scheduler or a client of River, to let another have a try."""
    with access.client() as client:
        client.request_resign()
