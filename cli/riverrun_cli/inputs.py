"""Reads what was typed: times, durations, JSON from an argument, a file or a pipe, and consent."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from riverrun.durations import parse_duration
from riverrun.errors import InvalidInput
from riverrun.moments import check_moment
from riverrun.names import check_job_id
from riverrun_cli.language import say

if TYPE_CHECKING:
    from riverrun.unique import Unique

_LONGEST_TEXT = 1024 * 1024
_DECLINED = 130


@contextmanager
def named(**names: str) -> Iterator[None]:
    """Let a refusal name the option or argument that was typed.

    Args:
        names: What a field is called on the command line, where that is not its name with ``--`` before it.
    """
    try:
        yield
    except InvalidInput as refusal:
        first, dot, rest = refusal.field.partition(".")
        option = names.get(first) or f"--{first.replace('_', '-')}"
        refusal.rename(f"{option}{dot}{rest}")
        raise


def text_of(argument: str, name: str) -> str:
    """Return the text that an argument means: itself, ``@FILE`` the file, ``-`` what is piped in.

    Raises:
        InvalidInput: The file cannot be read, or the text is larger than 1 MiB or not UTF-8.
    """
    if argument != "-" and not argument.startswith("@"):
        return argument
    allowed = "JSON text, @FILE or -, of at most 1 MiB in UTF-8"
    try:
        if argument == "-":
            data = sys.stdin.buffer.read(_LONGEST_TEXT + 1)
        else:
            with Path(argument[1:]).open("rb") as file:
                data = file.read(_LONGEST_TEXT + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InvalidInput(name, f"{argument} ({reason})", allowed, code="format") from error
    if len(data) > _LONGEST_TEXT:
        raise InvalidInput(name, f"{argument} (larger)", allowed, code="length")
    return text


def object_of(argument: str | None, name: str) -> dict[str, object] | None:
    """Return the JSON object that an option holds.

    Raises:
        InvalidInput: It holds something else.
    """
    if argument is None:
        return None
    try:
        value = json.loads(text_of(argument, name))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(name, argument, "a JSON object", code="format") from error
    if not isinstance(value, dict):
        raise InvalidInput(name, argument, "a JSON object", code="type")
    return value


def moment_of(text: str | None, name: str) -> datetime | None:
    """Return the time that an option holds.

    Raises:
        InvalidInput: It is no time, one without a zone, or one before 1970 or after 9998.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise InvalidInput(name, text, "a time with a zone such as 2030-01-31T09:00:00+08:00", code="format")
    return check_moment(moment, name)


def duration_of(text: str | None, name: str) -> timedelta | None:
    """Return the length of time that an option holds, such as ``90s`` or ``1h30m``."""
    return None if text is None else parse_duration(text, name)


def ids_of(texts: tuple[str, ...]) -> list[int]:
    """Return the ids that were typed, each once."""
    return list(dict.fromkeys(check_job_id(text, "ID") for text in texts))


def confirm(question: str, *, yes: bool) -> None:
    """Go on when the user agrees, else end the command as Ctrl-C does; where nobody can be asked, ``--yes`` agrees."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(say(f"{question} Nobody can be asked here; add --yes to agree."))
    if not click.confirm(question, err=True):
        click.echo(say("nothing was changed"), err=True)
        click.get_current_context().exit(_DECLINED)


yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def unique_of(
    by_args: bool | tuple[str, ...],
    *,
    by_period: str | None,
    by_queue: bool,
    by_state: tuple[str, ...],
    exclude_kind: bool,
) -> Unique | None:
    """Return what the ``--unique-…`` options ask for; None when there are none of them.

    Raises:
        InvalidInput: River would refuse it.
    """
    from riverrun.unique import Unique  # noqa: PLC0415

    unique = Unique(
        by_args=by_args or False,
        by_period=duration_of(by_period, "unique.by_period"),
        by_queue=by_queue,
        by_state=by_state or None,
        exclude_kind=exclude_kind,
    )
    return unique or None
