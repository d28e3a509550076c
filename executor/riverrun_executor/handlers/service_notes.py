"""What a service leaves with a job beside its outcome: log lines, and members of the job's metadata."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from riverrun.context import Context
from riverrun.errors import InvalidInput
from riverrun.outcome import Failed
from riverrun.sanitize import clean_text

MAX_LOG_BYTES = 8 * 1024
"""Of one line; what is behind it is cut off."""

MAX_RESULT_LINES = 1_000

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def log_line(context: Context, level: object, message: object) -> None:
    """Log a line for a service; a level that nobody knows counts as ``info``."""
    lines = context.log
    lines.log(_LEVELS.get(str(level).lower(), logging.INFO), "%s", clean_text(str(message), MAX_LOG_BYTES))


def keep(context: Context, *, metadata: object = None, logs: object = None) -> Failed | None:
    """Keep what a result says beside its outcome; what is not allowed changes nothing, and is the attempt's failure.

    Args:
        context: Of the attempt.
        metadata: An object to merge into the job's metadata; ``None``: nothing.
        logs: A list of lines, each a text or an object with ``msg`` and perhaps ``level``; ``None``: none.
    """
    try:
        lines = _lines(logs)
        if metadata is not None:
            context.update(metadata)  # type: ignore[arg-type]  # what is no mapping is refused there
    except InvalidInput as error:
        return Failed(f"the result cannot be taken: {error}", error_type="protocol")
    for level, message in lines:
        log_line(context, level, message)
    return None


def _lines(logs: object) -> Sequence[tuple[object, object]]:
    """Return level and message of each line."""
    if logs is None:
        return ()
    if not isinstance(logs, list) or len(logs) > MAX_RESULT_LINES:
        raise InvalidInput("logs", type(logs).__name__, f"a list of at most {MAX_RESULT_LINES} lines", code="type")
    return [_line(number, entry) for number, entry in enumerate(logs)]


def _line(number: int, entry: object) -> tuple[object, object]:
    match entry:
        case str():
            return "info", entry
        case {"msg": message, **rest}:
            return rest.get("level", "info"), message
        case _:
            raise InvalidInput(f"logs[{number}]", entry, 'a text, or an object with "msg"', code="type")
