"""``queuectl handler run``: try a function as a handler, in a process that this one becomes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from riverrun_cli.options import config_option


@click.command
@click.argument("kind")
@click.argument("args", default="{}")
@config_option
def run(kind: str, args: str, config: Path | None) -> None:
    """Run the function of KIND once with ARGS, a JSON object, without a queue and without a database."""
    chosen = ["--config", str(config)] if config else []
    sys.stdout.flush()
    # The executor is named, not imported: no role of the house imports another.
    command = [sys.executable, "-P", "-m", "riverrun_executor.once", *chosen, "--", kind, args]
    os.execv(sys.executable, command)  # noqa: S606
