"""``queuectl handler``: which handler runs the jobs of a kind; executors follow within seconds."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from riverrun_cli.database import Access, with_database
from riverrun_cli.handler_calls import call_options, settings_of
from riverrun_cli.handler_run import run
from riverrun_cli.inputs import confirm, named, object_of, yes_option
from riverrun_cli.language import say
from riverrun_cli.noun import NounGroup
from riverrun_cli.options import output_option
from riverrun_cli.output import write_record, write_rows
from riverrun_cli.writing import write

if TYPE_CHECKING:
    from riverrun.egress import Egress
    from riverrun.store.registry import RegisteredHandler

_COLUMNS = ("kind", "type", "name", "url", "timeout", "retries", "state", "reason")
_WIDE = ("settings", "description", "args_schema", "paused_at", "revision", "updated_at")
NOT_COMPLETED = 8
_NAMES = {
    "task_type": "KIND",
    "handler_type": "--type",
    "handler_name": "--name",
    "endpoint_url": "--url",
    "retry_count": "--retries",
}


@click.group(cls=NounGroup)
def handler() -> None:
    """List, register and change handlers."""


@handler.command(name="list")
@output_option
@with_database
def list_handlers(access: Access, /, *, output: str) -> None:
    """List the registered handlers."""
    from riverrun.store import registry  # noqa: PLC0415 - the help does not wait for the driver

    with access.client() as client:
        rows = [_row(each) for each in client.run(registry.handlers())]
    write_rows(rows, columns=_COLUMNS, output=output, wide=_WIDE, identity="kind")


@handler.command
@click.argument("kind")
@output_option
@with_database
def get(access: Access, /, *, kind: str, output: str) -> None:
    """Show the handler of KIND."""
    from riverrun.store import registry  # noqa: PLC0415

    with access.client() as client:
        write_record(_row(client.run(registry.handler(kind))), output=output, identity="kind")


@handler.command
@click.argument("kind")
@click.option("--type", "handler_type", required=True, help="local, http or grpc.")
@click.option("--name", "handler_name", help="local: the exported name; otherwise one for people. By default KIND.")
@click.option("--url", "endpoint_url", help="Where an http or grpc handler listens.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Limit of one attempt, 0.1 to 86400.")
@click.option("--retries", "retry_count", type=int, help="Attempts after the first; by default as configured.")
@click.option("--description", default="", help="For people.")
@click.option("--args-schema", metavar="JSON", help="JSON Schema of the arguments: JSON text, @FILE, or -.")
@call_options
@click.option("--replace", is_flag=True, help="Also when the kind has a different handler.")
@output_option
@with_database
def register(access: Access, /, *, kind: str, replace: bool, output: str, **said: Any) -> None:
    """Register the handler of KIND; registering the same again changes nothing."""
    from riverrun.registration import registration  # noqa: PLC0415
    from riverrun.store import registry  # noqa: PLC0415

    name, type_ = said.pop("handler_name"), said.pop("handler_type")
    settings = settings_of(said)
    said["args_schema"] = object_of(said["args_schema"], "--args-schema")
    with named(**_NAMES):
        new = registration(
            kind, kind if name is None else name, type_, **said, settings=settings, egress=_egress(access)
        )
    with access.client() as client:
        done = write(client, registry.register(new, replace=replace), "handler.register", f"handler:{new.kind}")
    secret = {} if done.signing_secret is None else {"signing_secret": done.signing_secret}
    write_record({**_row(done.handler), "created": done.created, **secret}, output=output, identity="kind")


@handler.command
@click.argument("kind")
@click.option("--type", "handler_type", help="local, http or grpc.")
@click.option("--name", "handler_name", help="local: the exported name; otherwise one for people.")
@click.option("--url", "endpoint_url", help="Where an http or grpc handler listens.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Limit of one attempt, 0.1 to 86400.")
@click.option("--retries", "retry_count", type=int, help="Attempts after the first.")
@click.option("--description", help="For people.")
@click.option("--args-schema", metavar="JSON", help="JSON Schema of the arguments: JSON text, @FILE, or -.")
@call_options
@output_option
@with_database
def update(access: Access, /, *, kind: str, output: str, **said: Any) -> None:
    """Change what is said about the handler of KIND; what is not given stays."""
    from riverrun.store import registry  # noqa: PLC0415

    settings = settings_of(said)
    said["args_schema"] = object_of(said["args_schema"], "--args-schema")
    changes = {name: value for name, value in {**said, **settings}.items() if value is not None}
    if not changes:
        raise click.UsageError(say("nothing to change; give at least one option"))
    with named(**_NAMES), access.client() as client:
        write_record(
            _row(
                write(
                    client,
                    registry.update(kind, changes, egress=_egress(access)),
                    "handler.update",
                    f"handler:{kind}",
                )
            ),
            output=output,
            identity="kind",
        )


@handler.command
@click.argument("kind")
@output_option
@with_database
def pause(access: Access, /, *, kind: str, output: str) -> None:
    """Let no job of KIND run until it is resumed."""
    from riverrun.store import registry  # noqa: PLC0415

    with access.client() as client:
        write(client, registry.pause(kind), "handler.pause", f"handler:{kind}")
        write_record(_row(client.run(registry.handler(kind))), output=output, identity="kind")


@handler.command
@click.argument("kind")
@click.option(
    "--keep",
    "keep",
    default=86_400.0,
    type=click.FloatRange(0, 2_592_000),
    metavar="SECONDS",
    help="A day unless given.",
)
@output_option
@with_database
def rotate_secret(access: Access, /, *, kind: str, keep: float, output: str) -> None:
    """Give the handler of KIND a new signing secret; the present one is used beside it for --keep."""
    from riverrun.store import registry  # noqa: PLC0415

    with access.client() as client:
        rotation = registry.rotate_secret(kind, keep=timedelta(seconds=keep))
        secret = write(client, rotation, "handler.rotate_secret", f"handler:{kind}")
    write_record({"kind": kind, "signing_secret": secret}, output=output, identity="kind")


@handler.command
@click.argument("kind")
@click.argument("args", default="{}")
@click.option("--queue", default="default", help="A queue that executors serve.")
@click.option("--wait", default=30.0, type=click.FloatRange(0, 3600), metavar="SECONDS", help="For its end.")
@output_option
@with_database
def test(access: Access, /, *, kind: str, args: str, queue: str, wait: float, output: str) -> None:
    """Run one job of KIND, with a single attempt, and show how it ended.

    Exit code 8 when it did not complete, 7 when it has not ended within --wait.
    """
    from riverrun import trial  # noqa: PLC0415
    from riverrun.errors import Conflict  # noqa: PLC0415
    from riverrun.job import JobState  # noqa: PLC0415
    from riverrun.store import jobs, registry  # noqa: PLC0415

    with named(args="ARGS", queue="--queue"), access.client() as client:
        why_not = trial.obstacle(client.run(registry.handler(kind)))
        if why_not is not None:
            raise Conflict(why_not)
        until = time.monotonic() + wait
        job = client.run(jobs.enqueue([trial.trial(kind, args, queue=queue)]))[0].job
        while job.finalized_at is None and time.monotonic() < until:
            time.sleep(trial.LOOK_SECONDS)
            job = client.run(jobs.get(job.id))
    error = job.errors[-1].error if job.errors else None
    found = {"id": job.id, "state": str(job.state), "output": job.metadata.get("output"), "error": error}
    write_record(found, output=output, identity="id")
    if job.finalized_at is None:
        raise TimeoutError(say(f"job {job.id} has not ended within {wait:g} s; `queuectl job get {job.id}` shows it"))
    if job.state != JobState.COMPLETED:
        click.get_current_context().exit(NOT_COMPLETED)


@handler.command
@click.argument("kind")
@output_option
@with_database
def resume(access: Access, /, *, kind: str, output: str) -> None:
    """Let jobs of KIND run again, also after the kind was paused by itself or its breaker has opened."""
    from riverrun.store import registry  # noqa: PLC0415

    with access.client() as client:
        write(client, registry.resume(kind), "handler.resume", f"handler:{kind}")
        write_record(_row(client.run(registry.handler(kind))), output=output, identity="kind")


@handler.command
@click.argument("kind")
@click.option("--force", is_flag=True, help="Although unfinished jobs need it.")
@yes_option
@with_database
def delete(access: Access, /, *, kind: str, force: bool, yes: bool) -> None:
    """Forget the handler of KIND."""
    from riverrun.store import registry  # noqa: PLC0415

    confirm(say(f"Delete the handler of {kind}?"), yes=yes)
    with access.client() as client:
        write(client, registry.delete(kind, force=force), "handler.delete", f"handler:{kind}")
    click.echo(say("deleted"), err=True)


def _egress(access: Access) -> Egress:
    from riverrun.egress import Egress  # noqa: PLC0415

    return Egress(access.settings.handlers.egress)


def _row(found: RegisteredHandler) -> dict[str, object]:
    said, health = found.registration, found.health
    return {
        "kind": said.kind,
        "type": said.handler_type,
        "name": said.handler_name,
        "url": said.endpoint_url,
        "timeout": said.timeout_seconds,
        "retries": said.retry_count,
        "state": _state(found),
        "reason": health.misconfigured or health.reason,
        "settings": said.settings.document(),
        "description": said.description,
        "args_schema": said.args_schema,
        "paused_at": found.paused_at,
        "revision": found.revision,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def _state(found: RegisteredHandler) -> str:
    """Return in one word whether jobs of this handler run now."""
    if found.paused_at is not None:
        return "paused"
    if found.health.breaker != "closed":
        return found.health.breaker
    if (found.health.throttled_for or 0) > 0:
        return "throttled"
    return "misconfigured" if found.health.misconfigured else "ok"


handler.add_command(run)
