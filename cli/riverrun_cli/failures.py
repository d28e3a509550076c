"""Turns whatever stopped a command into one sentence on stderr and an exit code: here and nowhere else."""

from __future__ import annotations

import os
import sys
import traceback

import click

from riverrun_cli.language import say, tell


def report_failure(error: Exception, *, verbose: bool) -> int:
    """Write why a command failed, in the language that is spoken, and return its exit code.

    With ``verbose`` the traceback comes first.
    """
    if isinstance(error, BrokenPipeError):
        # The reader left, as `head` does. What is still buffered must not fail again when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, click.Abort):
        click.echo(say("interrupted"), err=True)
        return 130
    if verbose:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    if isinstance(error, click.ClickException):
        _show(error)
        return error.exit_code
    sentence, code = _explain(error)
    click.echo("\n".join(map(tell, sentence.splitlines())), err=True)
    return code


def _show(error: click.ClickException) -> None:
    """Write what was wrong with the words of a command, as click does, in the language that is spoken."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # its message is the help
        error.show()
        return
    if isinstance(error, click.UsageError) and error.ctx is not None:
        command, ask = error.ctx.command_path, max(error.ctx.help_option_names, key=len)
        click.echo(error.ctx.get_usage(), err=True)
        click.echo(say(f"Try '{command} {ask}' for help.") + "\n", err=True)
    click.echo(say(f"Error: {say(error.format_message())}"), err=True)


def _explain(error: Exception) -> tuple[str, int]:
    # Imported here: `queuectl --help` never fails and should not pay for this.
    from riverrun import errors  # noqa: PLC0415
    from riverrun.telemetry.secrets import hide_secrets  # noqa: PLC0415

    if isinstance(error, errors.ConfigError):
        return "\n".join(error.problems), 2
    sentence = hide_secrets(" ".join(str(error).split())) or type(error).__name__
    codes = {
        errors.NotFound: 3,
        errors.Conflict: 4,
        errors.InvalidInput: 4,
        errors.SchemaError: 4,
        errors.DatabaseUnavailable: 6,
        errors.RiverrunError: 1,
        TimeoutError: 7,
        OSError: 1,
    }
    for kind, code in codes.items():
        if isinstance(error, kind):
            return sentence, code
    psycopg = sys.modules.get("psycopg")
    if psycopg is not None and isinstance(error, psycopg.OperationalError):
        return f"the database cannot be reached: {sentence}", 6
    if psycopg is not None and isinstance(error, psycopg.Error):
        return f"the database refused it: {sentence}", 1
    return f"unexpected {type(error).__name__}: {sentence}\n`queuectl -v …` shows where it happened", 1
