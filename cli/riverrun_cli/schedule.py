"""``queuectl schedule``: what is enqueued by the clock."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from riverrun_cli.database import Access, with_database
from riverrun_cli.inputs import confirm, duration_of, named, text_of, unique_of, yes_option
from riverrun_cli.language import say
from riverrun_cli.noun import NounGroup
from riverrun_cli.options import output_option
from riverrun_cli.output import write_record, write_rows
from riverrun_cli.writing import write

if TYPE_CHECKING:
    from riverrun.database.statements import Steps
    from riverrun.masking import Mask
    from riverrun.schedule import Schedule

_COLUMNS = ("name", "kind", "expression", "timezone", "queue", "paused", "last_tick", "next_tick", "source")
_WIDE = ("priority", "max_attempts", "tags", "missed", "run_on_start", "unique", "revision")
_TICKS = ("tick", "job_id", "state", "attempted_at", "finalized_at")
_UNIQUE = ("by_args", "by_period", "by_queue", "by_state", "exclude_kind")
_NAMES = {"name": "NAME", "tags": "--tag"}


@click.group(cls=NounGroup)
def schedule() -> None:
    """List and change what is enqueued by the clock."""


@schedule.command(name="list")
@output_option
@with_database
def list_schedules(access: Access, /, *, output: str) -> None:
    """List the schedules."""
    from riverrun.store import schedules  # noqa: PLC0415 - the help does not wait for the driver

    with access.client() as client:
        rows = [_row(each, access.mask) for each in client.run(schedules.list_all())]
    write_rows(rows, columns=_COLUMNS, output=output, wide=_WIDE, identity="name")


@schedule.command
@click.argument("name")
@output_option
@with_database
def get(access: Access, /, *, name: str, output: str) -> None:
    """Show the schedule NAME."""
    from riverrun.store import schedules  # noqa: PLC0415

    with named(**_NAMES), access.client() as client:
        write_record(_row(client.run(schedules.get(name)), access.mask), output=output, identity="name")


@schedule.command
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many.")
@output_option
@with_database
def history(access: Access, /, *, name: str, limit: int, output: str) -> None:
    """List the newest ticks of the schedule NAME within the last week, with their jobs."""
    from riverrun.store import schedules  # noqa: PLC0415

    with named(**_NAMES), access.client() as client:
        found = client.run(schedules.get(name))
        ticks = client.run(schedules.history([found.name], rows=limit))[found.name]
    write_rows([asdict(each) for each in ticks], columns=_TICKS, output=output, identity="job_id")


@schedule.command
@click.argument("name")
@click.option("--kind", required=True, help="Kind of its jobs.")
@click.option("--cron", metavar="EXPR", help="'30 4 * * *', @daily and its kin; either this or --every.")
@click.option("--every", metavar="DURATION", help="Interval such as 90s, counted from 1970 in UTC.")
@click.option("--timezone", default="UTC", show_default=True, help="Zone of the cron fields.")
@click.option("--args", default="{}", metavar="JSON", help="Arguments of its jobs: JSON text, @FILE, or - for a pipe.")
@click.option("-q", "--queue", default="default", show_default=True, help="Queue of its jobs.")
@click.option("--priority", type=int, help="1 (first) to 9; by default the queue's.")
@click.option("--max-attempts", type=int, help="1 to 32767; by default the configured number.")
@click.option("--tag", "tags", multiple=True, help="Tag of its jobs; may be repeated.")
@click.option("--missed", default="latest", show_default=True, help="Ticks nobody was there for: latest, skip or all.")
@click.option("--run-on-start", is_flag=True, help="A job at once as well, and whenever a leader begins.")
@click.option("--unique-by-args", "by_args", is_flag=True, help="None while a job with the same arguments is there.")
@click.option("--unique-by-period", "by_period", metavar="DURATION", help="… that is due in the same period.")
@click.option("--unique-by-queue", "by_queue", is_flag=True, help="… in the same queue.")
@click.option("--unique-by-state", "by_state", multiple=True, metavar="STATE", help="… that is in this state.")
@click.option("--unique-exclude-kind", "exclude_kind", is_flag=True, help="… of any kind.")
@output_option
@with_database
def create(access: Access, /, *, name: str, every: str | None, args: str, output: str, **said: Any) -> None:
    """Make the schedule NAME."""
    from riverrun.schedule import new_schedule  # noqa: PLC0415
    from riverrun.store import schedules  # noqa: PLC0415

    with named(**_NAMES):
        unique = unique_of(**{option: said.pop(option) for option in _UNIQUE})
        new = new_schedule(name, every=duration_of(every, "every"), args=text_of(args, "args"), unique=unique, **said)
    _change(access, "create", name, schedules.create(new), output)


@schedule.command
@click.argument("name")
@yes_option
@with_database
def delete(access: Access, /, *, name: str, yes: bool) -> None:
    """Delete the schedule NAME; jobs that it has enqueued stay."""
    from riverrun.store import schedules  # noqa: PLC0415

    confirm(say(f"Delete the schedule {name}?"), yes=yes)
    with access.client() as client:
        write(client, schedules.delete(name), "schedule.delete", f"schedule:{name}")
    click.echo(say("deleted"), err=True)


@schedule.command
@click.argument("name")
@output_option
@with_database
def pause(access: Access, /, *, name: str, output: str) -> None:
    """Let the schedule NAME enqueue nothing until it is resumed."""
    from riverrun.store import schedules  # noqa: PLC0415

    _change(access, "pause", name, schedules.pause(name), output)


@schedule.command
@click.argument("name")
@output_option
@with_database
def resume(access: Access, /, *, name: str, output: str) -> None:
    """Let the schedule NAME go on from now; ticks of the pause are left out."""
    from riverrun.store import schedules  # noqa: PLC0415

    _change(access, "resume", name, schedules.resume(name), output)


@schedule.command
@click.argument("name")
@output_option
@with_database
def run(access: Access, /, *, name: str, output: str) -> None:
    """Enqueue the job of the schedule NAME once more, now."""
    from riverrun.store import registry, schedules  # noqa: PLC0415

    river = access.settings.river
    with access.client() as client:
        known = client.run(schedules.get(name))
        attempts = river.max_attempts_of(client.run(registry.retry_count(known.kind)))
        steps = schedules.run_now(name, priority=river.priority_of(known.queue), max_attempts=attempts)
        job = write(client, steps, "schedule.run", f"schedule:{name}").job
    write_record({"id": job.id, "state": job.state, "kind": job.kind, "queue": job.queue}, output=output)


@schedule.command(name="next")
@click.argument("expression", metavar="EXPR")
@click.option("-n", "count", default=5, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@click.option("--timezone", "--tz", default="UTC", show_default=True, help="Zone of the cron fields.")
@output_option
def next_ticks(*, expression: str, count: int, timezone: str, output: str) -> None:
    """Show when EXPR is due next; no database is asked."""
    from riverrun.cron_grammar import check_zone, parse_expression  # noqa: PLC0415

    with named(expression="EXPR"):
        zone = check_zone(timezone, "timezone")
        parsed = parse_expression(expression, "expression", zone=zone.key)
    rows, moment = [], datetime.now(UTC)
    for _ in range(count):
        moment = parsed.next_after(moment)
        rows.append({"tick": moment, "local": moment.astimezone(zone).isoformat()})
    write_rows(rows, columns=("tick", "local"), output=output, identity="tick")


def _change(access: Access, verb: str, name: str, steps: Steps[Schedule], output: str) -> None:
    with named(**_NAMES), access.client() as client:
        changed = write(client, steps, f"schedule.{verb}", f"schedule:{name}")
        write_record(_row(changed, access.mask), output=output, identity="name")


def _row(stored: Schedule, mask: Mask) -> dict[str, object]:
    from riverrun.cron_grammar import parse_expression  # noqa: PLC0415

    found = mask.schedule(stored)
    due = parse_expression(found.expression, "expression", zone=found.timezone)
    return {
        "name": found.name,
        "kind": found.kind,
        "expression": found.expression,
        "timezone": found.timezone,
        "queue": found.queue,
        "paused": found.paused_at is not None,
        "last_tick": found.last_tick,
        "next_tick": None if found.paused_at else due.next_after(datetime.now(UTC)),
        "source": found.source,
        "priority": found.priority,
        "max_attempts": found.max_attempts,
        "tags": found.tags,
        "missed": found.missed,
        "run_on_start": found.run_on_start,
        "unique": found.unique.document() if found.unique else None,
        "revision": found.revision,
        "args": json.loads(found.args_text),
        "paused_at": found.paused_at,
    }
