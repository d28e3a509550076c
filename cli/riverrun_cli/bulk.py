"""``queuectl bulk``: operations on all jobs that a filter names; they work without an admin process."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from riverrun_cli.database import Access, with_database
from riverrun_cli.inputs import confirm
from riverrun_cli.language import say
from riverrun_cli.noun import NounGroup
from riverrun_cli.options import Decorated, output_option
from riverrun_cli.output import write_record, write_rows
from riverrun_cli.writing import actor, write

if TYPE_CHECKING:
    from riverrun import Client
    from riverrun.store.bulk_operations import Bulk

_COLUMNS = ("id", "action", "filter", "state", "progress", "matched", "changed", "actor")
_WIDE = ("params", "error", "created_at", "updated_at", "finished_at")
ABORTED_OR_FAILED = 9
_LOOK_SECONDS = 0.5


@click.group(cls=NounGroup)
def bulk() -> None:
    """List, watch and abort operations on many jobs."""


@bulk.command(name="list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="1 to 1000.")
@output_option
@with_database
def list_operations(access: Access, /, *, limit: int, output: str) -> None:
    """List operations, the newest first."""
    from riverrun.store import bulk_operations  # noqa: PLC0415 - the help does not wait for the driver

    with access.client() as client:
        rows = [_row(each) for each in client.run(bulk_operations.listed(rows=limit))]
    write_rows(rows, columns=_COLUMNS, output=output, wide=_WIDE)


@bulk.command
@click.argument("bulk_id", metavar="ID", type=int)
@output_option
@with_database
def get(access: Access, /, *, bulk_id: int, output: str) -> None:
    """Show one operation."""
    from riverrun.store import bulk_operations  # noqa: PLC0415

    with access.client() as client:
        write_record(_row(client.run(bulk_operations.get(bulk_id))), output=output)


@bulk.command
@click.argument("bulk_id", metavar="ID", type=int)
@output_option
@with_database
def watch(access: Access, /, *, bulk_id: int, output: str) -> None:
    """Wait for the end of an operation and carry it on meanwhile; exit code 9 if it was aborted or has failed."""
    with access.client() as client:
        finish(client, bulk_id, output=output)


@bulk.command
@click.argument("bulk_id", metavar="ID", type=int)
@output_option
@with_database
def abort(access: Access, /, *, bulk_id: int, output: str) -> None:
    """End an operation where it is; what it has changed stays changed."""
    from riverrun.store import bulk_operations  # noqa: PLC0415

    with access.client() as client:
        ended = write(client, bulk_operations.abort(bulk_id), "bulk.abort", f"bulk:{bulk_id}")
        write_record(_row(ended), output=output)


def filter_options(function: Decorated) -> Decorated:
    """Add ``--filter`` and ``--dry-run``, for `act_instead`."""
    function = click.option("--dry-run", is_flag=True, help="With --filter: only say how many.")(function)
    return click.option(
        "--filter", "filter_text", help="All jobs that fit, such as 'state:discarded kind:email'; instead of IDs."
    )(function)


def act_instead(access: Access, action: str, ids: tuple[str, ...], *, filter_text: str | None, **options: Any) -> bool:
    """Do ``action`` to all jobs of a filter if one was given; return whether that was so."""
    if (filter_text is None) != bool(ids):
        raise click.UsageError(say("say either which IDs, or --filter"))
    if filter_text is None:
        if options["dry_run"]:
            raise click.UsageError(say("--dry-run counts what --filter names; with IDs it would say nothing new"))
        return False
    act_on_all(access, action, filter_text, **options)
    return True


def act_on_all(
    access: Access, action: str, filter_text: str, *, yes: bool, dry_run: bool, output: str, **params: object
) -> None:
    """Do ``action`` to all jobs that a filter names, after asking, and wait for the end."""
    from riverrun import job_query  # noqa: PLC0415
    from riverrun.store import bulk_operations  # noqa: PLC0415
    from riverrun.store.listing import JobFilter  # noqa: PLC0415

    wanted = job_query.parse(filter_text, "--filter")
    if wanted == JobFilter():
        raise click.UsageError(say("--filter must have at least one term, such as state:discarded"))
    checked = bulk_operations.check_action(action, params)
    with access.client() as client:
        found = client.run(bulk_operations.count(wanted))
        number = found.value if found.relation == "eq" else f"{found.value}+"
        if dry_run:
            write_record({"action": action, "filter": filter_text, "jobs": number, "dry_run": True}, output=output)
            return
        confirm(say(f"{action.capitalize()} all {number} jobs?"), yes=yes)
        steps = bulk_operations.begin(action, checked, wanted, filter_text=filter_text, actor=actor())
        begun = write(client, steps, f"job.{action}", f"filter:{filter_text}"[:255])
        finish(client, begun.id, output=output)


def finish(client: Client, bulk_id: int, *, output: str) -> None:
    """Carry an operation on until it has ended; a batch that somebody else is at is waited for."""
    from riverrun.store import bulk_operations  # noqa: PLC0415

    found = client.run(bulk_operations.get(bulk_id))
    with click.progressbar(length=100, label=f"{found.action} {found.filter}", file=sys.stderr) as bar:
        while found.finished_at is None:
            stepped = client.run(bulk_operations.step(bulk_id), whole=True)
            if stepped is None:
                time.sleep(_LOOK_SECONDS)
            found = stepped or client.run(bulk_operations.get(bulk_id))
            bar.update(int(found.progress * 100) - bar.pos)
    write_record(_row(found), output=output)
    if found.state != "done":
        click.get_current_context().exit(ABORTED_OR_FAILED)


def _row(found: Bulk) -> dict[str, object]:
    return {
        "id": found.id,
        "action": found.action,
        "params": dict(found.params),
        "filter": found.filter,
        "state": found.state,
        "progress": round(found.progress, 4),
        "matched": found.matched,
        "changed": found.changed,
        "actor": found.actor,
        "error": found.error,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
        "finished_at": found.finished_at,
    }
