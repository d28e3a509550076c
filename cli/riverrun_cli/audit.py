"""``queuectl audit``: who changed what, through the API, the pages and the shell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from riverrun_cli.database import Access, with_database
from riverrun_cli.language import say
from riverrun_cli.noun import NounGroup
from riverrun_cli.options import output_option
from riverrun_cli.output import write_record, write_rows

if TYPE_CHECKING:
    from riverrun import Client
    from riverrun.store.audit import Entry

_COLUMNS = ("number", "at", "actor", "action", "target", "result")
TAMPERED = 10


@click.group(cls=NounGroup)
def audit() -> None:
    """List, verify and export who changed what."""


@audit.command(name="list")
@click.option("--actor", help="Who, such as shell:anna@db1.")
@click.option("--action", help="What, such as queue.pause.")
@click.option("--target", help="To what, such as queue:mail.")
@click.option("--before", type=int, metavar="NUMBER", help="Older than this entry.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="1 to 1000.")
@output_option
@with_database
def list_entries(access: Access, /, *, output: str, limit: int, **filters: str) -> None:
    """List changes, the newest first; what was left out is told on stderr."""
    from riverrun.store import audit as store  # noqa: PLC0415 - the help does not wait for the driver

    with access.client() as client:
        found = client.run(store.listed(**filters, rows=limit))  # type: ignore[arg-type]  # click checked them
    write_rows(map(_row, found.entries), columns=_COLUMNS, output=output, wide=("address", "after"), identity="number")
    if found.next_before is not None:
        click.echo(say(f"more: --before {found.next_before}"), err=True)


@audit.command
@output_option
@with_database
@click.pass_context
def verify(context: click.Context, access: Access, /, *, output: str) -> None:
    """Say whether every entry is as it was written; exit code 10 if not."""
    from riverrun.store import audit as store  # noqa: PLC0415

    with access.client() as client:
        verdict = client.run(store.verify())
    intact = verdict.broken_at is None
    row = {"intact": intact, "entries": verdict.entries, "broken_at": verdict.broken_at, "reason": verdict.reason}
    write_record(row, output=output, identity="intact")
    if not intact:
        context.exit(TAMPERED)


@audit.command
@with_database
def export(access: Access, /) -> None:
    """Write all of it, the oldest first, a JSON object a line, with what is needed to verify it elsewhere."""
    with access.client() as client:
        write_rows(_all(client), columns=_COLUMNS, output="ndjson")


def _all(client: Client) -> Iterator[dict[str, object]]:
    from riverrun.store import audit as store  # noqa: PLC0415

    after = 0
    while entries := client.run(store.walk(after)):
        for entry in entries:
            yield {"number": entry.number, "entry": entry.text, "hash": entry.hash.hex()}
        after = entries[-1].number


def _row(entry: Entry) -> dict[str, object]:
    return {**json.loads(entry.text), "hash": entry.hash.hex()}
