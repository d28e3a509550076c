"""``queuectl status|stop|drain|reload``: talk to the daemon that runs on this host."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import click

from riverrun_cli.language import say
from riverrun_cli.options import config_option, output_option, resolve_settings
from riverrun_cli.output import write_record, write_rows

_COLUMNS = ("name", "state", "pid", "uptime_seconds", "restarts", "last_exit")


@click.command
@config_option
@output_option
def status(config: Path | None, *, output: str) -> None:
    """Show the daemon of this host and its processes."""
    answer = _ask(config, "status")
    if output == "json":
        write_record(answer, output=output)
        return
    click.echo(say(f"{answer['server_id']}: {answer['state']}, process {answer['pid']}"), err=True)
    children = cast("Sequence[Mapping[str, object]]", answer["children"])
    write_rows(children, columns=_COLUMNS, wide=("answering", "crash_looping"), output=output, identity="name")


@click.command
@config_option
@click.option("--timeout", type=float, default=120.0, show_default=True, metavar="SECONDS", help="How long to wait.")
def stop(config: Path | None, *, timeout: float) -> None:
    """Stop the daemon of this host and wait until it is gone.

    Running jobs may finish; asked a second time, the daemon does not wait for them.
    """
    from riverrun.errors import NotFound  # noqa: PLC0415 - the help of a command does not wait for it

    _ask(config, "stop")
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            _ask(config, "status")
        except NotFound:
            click.echo(say("stopped"), err=True)
            return
        time.sleep(0.1)
    raise TimeoutError(say(f"the daemon still stops after {timeout:g} s; `queuectl stop` again hurries it"))


@click.command
@config_option
def drain(config: Path | None) -> None:
    """Let the executors of this host finish their jobs and leave; `queuectl reload` brings them back."""
    _ask(config, "drain")
    click.echo(say("draining; `queuectl status` shows the executors that are left"), err=True)


@click.command
@config_option
def reload(config: Path | None) -> None:
    """Let the daemon of this host read its configuration again; one that is not valid changes nothing."""
    _ask(config, "reload")
    click.echo(say("reloaded"), err=True)


def _ask(config: Path | None, command: str) -> dict[str, object]:
    from riverrun.control import ask  # noqa: PLC0415 - as above

    return ask(resolve_settings(config).settings.server_id, command)
