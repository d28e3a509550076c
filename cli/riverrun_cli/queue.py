"""``queuectl queue``: see queues, pause and resume them, and change how many slots they have, while the fleet runs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from riverrun_cli.database import Access, with_database
from riverrun_cli.inputs import confirm, duration_of, named, text_of, yes_option
from riverrun_cli.language import say
from riverrun_cli.noun import NounGroup
from riverrun_cli.options import output_option
from riverrun_cli.output import write_record, write_rows
from riverrun_cli.writing import actor, write

if TYPE_CHECKING:
    from riverrun.store.listing import Count
    from riverrun.store.queues import Queue
    from riverrun.store.statistics import QueueStatistics

_COLUMNS = ("name", "paused", "available", "running", "scheduled", "retryable", "slots", "executors", "max_workers")
_WIDE = (
    "paused_at",
    "pause_reason",
    "paused_by",
    "resume_at",
    "oldest_age_s",
    "completed_1m",
    "failed_1m",
    "wait_p95_s",
    "run_p95_s",
)


@click.group(cls=NounGroup)
def queue() -> None:
    """List, describe, pause, resume and scale queues."""


@queue.command(name="list")
@output_option
@with_database
def list_queues(access: Access, /, *, output: str) -> None:
    """List every queue that is known, served, or has unfinished jobs."""
    from riverrun.store import statistics  # noqa: PLC0415 - the help does not wait for the driver

    with access.client() as client:
        rows = [_row(each) for each in client.run(statistics.queues())]
    write_rows(rows, columns=_COLUMNS, output=output, wide=_WIDE, identity="name")


@queue.command
@click.argument("name")
@output_option
@with_database
def get(access: Access, /, *, name: str, output: str) -> None:
    """Show the queue NAME as River keeps it, with its metadata."""
    from riverrun import operations  # noqa: PLC0415

    with named(queue="NAME"), access.client() as client:
        found = client.run(operations.get_queue(name))
    _show(found, output)


@queue.command
@click.argument("name")
@click.argument("metadata", metavar="JSON")
@output_option
@with_database
def describe(access: Access, /, *, name: str, metadata: str, output: str) -> None:
    """Replace what is said about the queue NAME: an object as JSON text, @FILE, or - for a pipe."""
    from riverrun import operations  # noqa: PLC0415

    steps = operations.set_queue_metadata(name, text_of(metadata, "metadata"))
    with named(queue="NAME", metadata="JSON"), access.client() as client:
        found = write(client, steps, "queue.metadata", f"queue:{name}")
    _show(found, output)


@queue.command
@click.argument("name")
@click.option("--reason", metavar="TEXT", default="", help="Why; shown wherever the queue is.")
@click.option("--for", "lasting", metavar="DURATION", help="Go on by itself after that time, such as 30m or 2h.")
@yes_option
@output_option
@with_database
def pause(access: Access, /, *, name: str, reason: str, lasting: str | None, yes: bool, output: str) -> None:
    """Let executors claim no more jobs of the queue NAME, or of all queues with '*'; running jobs go on."""
    from riverrun import operations  # noqa: PLC0415

    if name == "*":
        confirm(say("Pause all queues?"), yes=yes)
    with named(queue="NAME"), access.client() as client:
        delay = duration_of(lasting, "--for")
        resume_at = None if delay is None else datetime.now(UTC) + delay
        steps = operations.pause_queue(name, reason=reason, actor=actor(), resume_at=resume_at)
        after = {"reason": reason, "resume_at": None if resume_at is None else resume_at.isoformat()}
        names = write(client, steps, "queue.pause", f"queue:{name}", after=after)
    write_rows(
        [{"name": each, "paused": True} for each in names], columns=("name", "paused"), output=output, identity="name"
    )


@queue.command
@click.argument("name")
@output_option
@with_database
def resume(access: Access, /, *, name: str, output: str) -> None:
    """Let the queue NAME go on, or all queues with '*'."""
    from riverrun import operations  # noqa: PLC0415

    with named(queue="NAME"), access.client() as client:
        names = write(client, operations.resume_queue(name), "queue.resume", f"queue:{name}")
    write_rows(
        [{"name": each, "paused": False} for each in names], columns=("name", "paused"), output=output, identity="name"
    )


@queue.command
@click.argument("name")
@click.argument("max_workers", metavar="[SLOTS]", type=int, required=False)
@click.option(
    "--server",
    "server_id",
    metavar="SERVER_ID",
    help="On this host alone; without it on each that has no number of its own.",
)
@click.option("--reset", is_flag=True, help="Forget what was set: the configuration counts again.")
@output_option
@with_database
def scale(
    access: Access, /, *, name: str, max_workers: int | None, server_id: str | None, reset: bool, output: str
) -> None:
    """Give the queue NAME so many SLOTS, 1 to 10000, in place of what is configured."""
    from riverrun import operations  # noqa: PLC0415

    if reset == (max_workers is not None):
        raise click.UsageError(say("say either how many SLOTS, or --reset"))
    with named(queue="NAME", max_workers="SLOTS", server_id="--server"), access.client() as client:
        steps = operations.scale_queue(name, max_workers, server_id=server_id)
        after = {"max_workers": max_workers, "server_id": server_id}
        write(client, steps, "queue.scale", f"queue:{name}", after=after)
    write_record({"name": name, "max_workers": max_workers, "server_id": server_id}, output=output, identity="name")


def _show(found: Queue, output: str) -> None:
    write_record({**asdict(found), "metadata": dict(found.metadata)}, output=output, identity="name")


def _row(found: QueueStatistics) -> dict[str, object]:
    return {
        "name": found.name,
        "paused": found.paused_at is not None,
        "available": _count(found.available),
        "running": _count(found.running),
        "scheduled": _count(found.scheduled),
        "retryable": _count(found.retryable),
        "slots": found.slots,
        "executors": found.executors,
        "max_workers": found.max_workers,
        "paused_at": found.paused_at,
        "pause_reason": found.pause.reason if found.pause else None,
        "paused_by": found.pause.actor if found.pause else None,
        "resume_at": found.pause.resume_at if found.pause else None,
        "oldest_age_s": found.oldest_age_s,
        "completed_1m": found.completed_1m,
        "failed_1m": found.failed_1m,
        "wait_p95_s": found.wait_p95_s,
        "run_p95_s": found.run_p95_s,
    }


def _count(found: Count) -> int | str:
    """Return a number, or the least it is."""
    return found.value if found.relation == "eq" else f"{found.value}+"
