"""``queuectl start``: becomes the daemon, so that signals and systemd reach it and nobody stands between."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from riverrun.settings.files import configured_file, example_file
from riverrun_cli.options import config_option


@click.command
@config_option
@click.option(
    "--dev",
    is_flag=True,
    help="Use the embedded PostgreSQL, and take up handlers that are edited; without configuration, with the examples.",
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(("all", "scheduler", "executor", "admin")),
    help="What this host runs; may be repeated. [default: all]",
)
@click.option("--queue", "queues", multiple=True, metavar="Q", help="Queue for the executors; may be repeated.")
def start(config: Path | None, *, dev: bool, roles: tuple[str, ...], queues: tuple[str, ...]) -> None:
    """Run the daemon in the foreground: scheduler, executors and admin process.

    Without a configured database it brings a PostgreSQL along. SIGTERM or Ctrl-C lets running jobs finish, a second
    one does not wait for them; SIGHUP reads the configuration again.
    """
    if dev and configured_file(config, os.environ) is None:
        config = example_file()
    arguments = [*(["--config", str(config)] if config else []), *(["--dev"] if dev else [])]
    for option, values in (("--role", roles), ("--queue", queues)):
        arguments += [word for value in values for word in (option, value)]
    sys.stdout.flush()
    # The daemon is named, not imported: no role of the house imports another. It checks every option before it
    # starts anything.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "riverrun_supervisor", *arguments])  # noqa: S606
