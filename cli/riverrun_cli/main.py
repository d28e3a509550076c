"""``queuectl``: one command for everything; each subcommand is imported only when it is called.

Exit codes: 0 done · 1 error · 2 usage or configuration · 3 not found · 4 refused: invalid, or the present state forbids
it · 6 database or server unavailable · 7 timeout · 8 the attempt did not complete · 9 the bulk operation was aborted
or has failed · 10 `doctor` found problems, or `audit verify` a change · 130 interrupted.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import click

from riverrun_cli.failures import report_failure
from riverrun_cli.language import CHOICES, language_of, root_options, speak


class Command(NamedTuple):
    """Where a subcommand is defined, and its line in the help, which is shown without importing it."""

    module: str
    attribute: str
    summary: str


COMMANDS = {
    "start": Command("riverrun_cli.start", "start", "Run the daemon in the foreground."),
    "stop": Command("riverrun_cli.daemon", "stop", "Stop the daemon of this host; running jobs may finish."),
    "reload": Command("riverrun_cli.daemon", "reload", "Let the daemon of this host read its configuration again."),
    "drain": Command("riverrun_cli.daemon", "drain", "Let the executors of this host finish and leave."),
    "status": Command("riverrun_cli.daemon", "status", "Show the daemon of this host and its processes."),
    "migrate": Command("riverrun_cli.migrate", "migrate", "Create, change or remove the tables that jobs live in."),
    "config": Command("riverrun_cli.config", "config", "Check, show or begin a configuration."),
    "job": Command("riverrun_cli.job", "job", "Enqueue, list, change, cancel, retry and delete jobs."),
    "queue": Command("riverrun_cli.queue", "queue", "List, describe, pause, resume and scale queues."),
    "handler": Command("riverrun_cli.handler", "handler", "List, register and change handlers."),
    "schedule": Command("riverrun_cli.schedule", "schedule", "List and change what is enqueued by the clock."),
    "bench": Command("riverrun_cli.bench.command", "bench", "Measure how fast this host and its database run jobs."),
    "doctor": Command("riverrun_cli.doctor.command", "doctor", "Say what is wrong, and what mends it."),
    "bulk": Command("riverrun_cli.bulk", "bulk", "List, watch and abort operations on many jobs."),
    "token": Command("riverrun_cli.token", "token", "Make, list and revoke tokens of the HTTP API."),
    "audit": Command("riverrun_cli.audit", "audit", "List, verify and export who changed what."),
    "top": Command("riverrun_cli.top", "top", "Watch the fleet in a terminal."),
    "server": Command("riverrun_cli.server", "server", "List the hosts of the fleet; hand over the lead."),
}


class Root(click.Group):
    """The group of all subcommands that this installation has."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the name is click's
        return [name for name, command in COMMANDS.items() if importlib.util.find_spec(command.module)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(COMMANDS[cmd_name].module)
        command = getattr(module, COMMANDS[cmd_name].attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].summary) for name in self.list_commands(ctx)])


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        version = importlib.import_module("riverrun").__version__
        click.echo(f"queuectl {version}")
        ctx.exit()


@click.command(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--lang", type=click.Choice(CHOICES), help="Language of help and messages; by default that of the environment."
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def queuectl(*, verbose: bool, lang: str | None) -> None:
    """Riverrun: a job queue on PostgreSQL, on River's own tables."""
    # main() has read both by itself: they count for errors of the parsing too.


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``queuectl`` with the arguments of this process, or with ``arguments``, and exit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = root_options(given)
    verbose = any(word in {"-v", "--verbose"} for word in options)
    speak(language_of(options, os.environ))
    try:
        code = queuectl.main(args=given, prog_name="queuectl", standalone_mode=False)
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - the one place where a command's errors become words and exit codes
        code = report_failure(error, verbose=verbose)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
