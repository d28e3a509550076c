"""Log lines as people read them."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from datetime import UTC, datetime

from pythonjsonlogger.core import RESERVED_ATTRS

from riverrun.telemetry.secrets import HIDDEN, SENSITIVE_FIELDS, hide_secrets

STANDARD_FIELDS = frozenset(RESERVED_ATTRS) | {"message", "asctime", "taskName"}
"""What every record has; everything else is a field of the event."""


def moment(record: logging.LogRecord) -> datetime:
    """Return when a record was made."""
    return datetime.fromtimestamp(record.created, UTC)


def event_words(record: logging.LogRecord, *, without: Collection[str] = ()) -> list[str]:
    """Return the event of a record and its fields as ``key=value``, on one line and without sensitive ones."""
    fields = {
        name: value for name, value in vars(record).items() if name not in STANDARD_FIELDS and name not in without
    }
    pairs = [f"{name}={_word(HIDDEN if name in SENSITIVE_FIELDS else value)}" for name, value in fields.items()]
    return [record.getMessage().replace("\n", "\\n"), *pairs]


class TextLines(logging.Formatter):
    """``time level role event key=value …`` for people; an exception follows on lines of its own."""

    def __init__(self, context: dict[str, str]) -> None:
        super().__init__()
        self._role = context["role"]
        self._server_id = context["server_id"]

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without secrets."""
        time = moment(record).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        words = [time, f"{record.levelname:<7}", self._role, *event_words(record), f"server_id={self._server_id}"]
        line = " ".join(words)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return hide_secrets(line)


def _word(value: object) -> str:
    """Return ``value`` as one word without secrets; quoted when it has spaces, so that a line can be taken apart."""
    structured = isinstance(value, dict | list | tuple)
    text = hide_secrets(json.dumps(value, default=str, ensure_ascii=False) if structured else str(value))
    return text if text.isprintable() and text and not set(text) & set(" \"'=") else repr(text)
