"""``queuectl handler``: which handler runs the jobs of a kind; executors follow within seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from riverrun_cli.database import Access, with_database
from riverrun_cli.inputs import confirm, named, yes_option
from riverrun_cli.noun import NounGroup
from riverrun_cli.options import output_option
from riverrun_cli.output import write_record, write_rows
from riverrun_cli.writing import write

if TYPE_CHECKING:
    from riverrun.store.registry import RegisteredHandler

_COLUMNS = ("kind", "type", "name", "url", "timeout", "retries", "description")
_WIDE = ("paused_at", "revision", "updated_at")
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
@click.option("--replace", is_flag=True, help="Also when the kind has a different handler.")
@output_option
@with_database
def register(access: Access, /, *, kind: str, replace: bool, output: str, **said: Any) -> None:
    """Register the handler of KIND; registering the same again changes nothing."""
    from riverrun.registration import registration  # noqa: PLC0415
    from riverrun.store import registry  # noqa: PLC0415

    name, type_ = said.pop("handler_name"), said.pop("handler_type")
    with named(**_NAMES):
        new = registration(kind, kind if name is None else name, type_, **said)
    with access.client() as client:
        registered, created = write(
            client, registry.register(new, replace=replace), "handler.register", f"handler:{new.kind}"
        )
    write_record({**_row(registered), "created": created}, output=output, identity="kind")


@handler.command
@click.argument("kind")
@click.option("--type", "handler_type", help="local, http or grpc.")
@click.option("--name", "handler_name", help="local: the exported name; otherwise one for people.")
@click.option("--url", "endpoint_url", help="Where an http or grpc handler listens.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Limit of one attempt, 0.1 to 86400.")
@click.option("--retries", "retry_count", type=int, help="Attempts after the first.")
@click.option("--description", help="For people.")
@output_option
@with_database
def update(access: Access, /, *, kind: str, output: str, **said: Any) -> None:
    """Change what is said about the handler of KIND; what is not given stays."""
    from riverrun.store import registry  # noqa: PLC0415

    changes = {name: value for name, value in said.items() if value is not None}
    if not changes:
        raise click.UsageError("nothing to change; give at least one option")
    with named(**_NAMES), access.client() as client:
        write_record(
            _row(write(client, registry.update(kind, changes), "handler.update", f"handler:{kind}")),
            output=output,
            identity="kind",
        )


@handler.command
@click.argument("kind")
@output_option
@with_database
def resume(access: Access, /, *, kind: str, output: str) -> None:
    """Let jobs of KIND run again after they crashed so often that the kind was paused."""
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

    confirm(f"Delete the handler of {kind}?", yes=yes)
    with access.client() as client:
        write(client, registry.delete(kind, force=force), "handler.delete", f"handler:{kind}")


def _row(found: RegisteredHandler) -> dict[str, object]:
    said = found.registration
    return {
        "kind": said.kind,
        "type": said.handler_type,
        "name": said.handler_name,
        "url": said.endpoint_url,
        "timeout": said.timeout_seconds,
        "retries": said.retry_count,
        "description": said.description,
        "paused_at": found.paused_at,
        "revision": found.revision,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }
