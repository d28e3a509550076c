"""``queuectl job enqueue``: every word a producer may say about a job, as an option."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from riverrun_cli.database import Access, with_database
from riverrun_cli.inputs import duration_of, moment_of, named, object_of, text_of, unique_of
from riverrun_cli.language import say
from riverrun_cli.options import output_option
from riverrun_cli.output import write_record

if TYPE_CHECKING:
    from riverrun.new_job import NewJob
    from riverrun.settings.schema import Settings
    from riverrun.store.registry import RegisteredHandler

_NAMES = {
    "kind": "KIND",
    "args": "PARAMS",
    "scheduled_at": "--at",
    "tags": "--tag",
    "unique": "--unique",
}


@click.command
@click.argument("kind")
@click.argument("params", default="{}")
@click.option("-q", "--queue", default="default", show_default=True, help="Queue.")
@click.option("--priority", type=int, help="1 (first) to 9; by default the queue's.")
@click.option("--at", metavar="TIME", help="Run at this time, such as 2030-01-31T09:00:00Z.")
@click.option("--delay", metavar="DURATION", help="Run after this time, such as 90s or 1h30m.")
@click.option("--max-attempts", type=int, help="1 to 32767; by default the handler's, else the configured number.")
@click.option("--timeout", metavar="DURATION", help="Time limit of each attempt.")
@click.option("--tag", "tags", multiple=True, help="Word to find the job by; may be repeated.")
@click.option("--metadata", metavar="JSON", help="JSON object, @FILE, or - to read a pipe.")
@click.option("--pending", is_flag=True, help="Wait until somebody makes the job available by hand.")
@click.option("--unique-by-args", "by_args", is_flag=True, help="Not when a job with the same arguments is there.")
@click.option("--unique-by-arg", "by_arg", multiple=True, metavar="PATH", help="… where this one is the same.")
@click.option("--unique-by-period", "by_period", metavar="DURATION", help="… that is due in the same period.")
@click.option("--unique-by-queue", "by_queue", is_flag=True, help="… in the same queue.")
@click.option("--unique-by-state", "by_state", multiple=True, metavar="STATE", help="… that is in this state.")
@click.option("--unique-exclude-kind", "exclude_kind", is_flag=True, help="… of any kind.")
@output_option
@with_database
def enqueue(access: Access, /, kind: str, params: str, *, output: str, **options: Any) -> None:
    """Enqueue a job of KIND with PARAMS: the JSON text of an object, @FILE, or - to read a pipe."""
    # Imported here, so that the help does not wait for the driver.
    from riverrun import operations  # noqa: PLC0415
    from riverrun.store import registry, statistics  # noqa: PLC0415

    with named(**_NAMES):
        job = _checked(kind, params, **options)
    with access.client() as client:
        handlers = client.run(registry.handlers([kind]))
        result = client.run(operations.enqueue(_with_defaults(job, access.settings, handlers, given=options)))
        served = bool(client.run(statistics.served([job.queue])))
    write_record(
        {
            "id": result.job.id,
            "state": result.job.state,
            "kind": result.job.kind,
            "queue": result.job.queue,
            "priority": result.job.priority,
            "max_attempts": result.job.max_attempts,
            "scheduled_at": result.job.scheduled_at,
            "duplicate": result.duplicate,
            "handler_known": bool(handlers),
            "queue_served": served,
        },
        output=output,
    )
    if not served:
        click.echo(say(f"no executor serves the queue {job.queue} now; the job waits until one does"), err=True)


def _checked(kind: str, params: str, *, by_args: bool, by_arg: tuple[str, ...], **options: Any) -> NewJob:
    """Return the job, checked before anything is connected to; a default that only the database knows comes later."""
    from riverrun.new_job import new_job  # noqa: PLC0415

    unique = unique_of(by_args or by_arg, **{name: options.pop(name) for name in _UNIQUE})
    given = {name: options[name] for name in ("priority", "max_attempts") if options[name] is not None}
    return new_job(
        kind,
        text_of(params, "args"),
        queue=options["queue"],
        scheduled_at=moment_of(options["at"], "scheduled_at"),
        delay=duration_of(options["delay"], "delay"),
        timeout=duration_of(options["timeout"], "timeout"),
        tags=options["tags"],
        metadata=object_of(options["metadata"], "metadata"),
        unique=unique,
        pending=options["pending"],
        **given,
    )


_UNIQUE = ("by_period", "by_queue", "by_state", "exclude_kind")


def _with_defaults(
    job: NewJob, settings: Settings, handlers: list[RegisteredHandler], *, given: dict[str, Any]
) -> NewJob:
    """Return the job with the priority of its queue and the attempts of its handler where none were given."""
    river = settings.river
    retry_count = handlers[0].registration.retry_count if handlers else None
    return job._replace(
        priority=job.priority if given["priority"] is not None else river.priority_of(job.queue),
        max_attempts=job.max_attempts if given["max_attempts"] is not None else river.max_attempts_of(retry_count),
    )
