"""Turns whatever stopped a command into one sentence on stderr and an exit code: here and nowhere else."""

from __future__ import annotations

import os
import sys
import traceback

import click


def report_failure(error: Exception, *, verbose: bool, language: str = "en") -> int:
    """Write why a command failed, in ``language`` if that is known there, and return its exit code.

    With ``verbose`` the traceback comes first.
    """
    if isinstance(error, BrokenPipeError):
        # The reader left, as `head` does. What is still buffered must not fail again when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    if verbose:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    sentence, code = _explain(error)
    click.echo(_in(language, sentence), err=True)
    return code


def _in(language: str, sentence: str) -> str:
    if language == "en":
        return sentence
    from riverrun.translation import translated  # noqa: PLC0415 - as below

    return "\n".join(translated(line, language) for line in sentence.splitlines())


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
