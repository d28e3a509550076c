"""Configures logging for one process: readable on a terminal, JSON elsewhere, and never a secret.

The message of a record is the name of an event in the past tense, such as ``job_completed``; everything else goes into
``extra``. A line about a job carries ``job_id``, ``kind``, ``queue`` and ``attempt``; each line carries the server,
the role and the incarnation of the process that wrote it.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter

from riverrun.settings.schema import Settings
from riverrun.telemetry.daily_file import DailyFile
from riverrun.telemetry.secrets import HIDDEN, SENSITIVE_FIELDS, hide_secrets
from riverrun.telemetry.text_lines import STANDARD_FIELDS, TextLines, moment

log = logging.getLogger(__name__)


def configure_logging(role: str, settings: Settings, *, incarnation: str | None = None) -> None:
    """Send every log line of this process to stdout and, when ``log_path`` is set, to ``<log_path>/<role>.log``.

    Calling it again, as a reload does, replaces what the call before set up. Warnings and exceptions that nothing
    caught become log lines too.

    Args:
        role: ``executor``, ``scheduler``, ``admin`` or ``supervisor``.
        incarnation: Which life of the process this is; stands in JSON lines.

    Raises:
        ConfigError: ``log_path`` cannot be written.
    """
    context = {"server_id": settings.server_id, "role": role} | ({"incarnation": incarnation} if incarnation else {})
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    if settings.log_path is not None:
        handlers.append(DailyFile(settings.log_path, role, keep_days=settings.log.keep_days))
    for handler in handlers:
        readable = settings.log.format == "text" or (settings.log.format == "auto" and _on_terminal(handler))
        handler.setFormatter(TextLines(context) if readable else JsonLines(context))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(settings.log.level.upper())
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


class JsonLines(JsonFormatter):
    """One JSON object a line: time, level, event, logger, the process, and the fields of the event."""

    def __init__(self, context: Mapping[str, str]) -> None:
        super().__init__(
            "{levelname}{message}{name}",
            style="{",
            rename_fields={"levelname": "level", "message": "event", "name": "logger"},
            static_fields=dict(context),
            reserved_attrs=list(STANDARD_FIELDS),
            json_ensure_ascii=False,
        )

    def process_log_record(self, log_data: dict[str, object]) -> dict[str, object]:
        """Hide sensitive fields."""
        return {name: HIDDEN if name in SENSITIVE_FIELDS else value for name, value in log_data.items()}

    def add_fields(
        self, log_data: dict[str, object], record: logging.LogRecord, message_dict: dict[str, object]
    ) -> None:
        """Put the time first, in UTC with milliseconds."""
        log_data["time"] = moment(record).isoformat(timespec="milliseconds")
        super().add_fields(log_data, record, message_dict)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without secrets."""
        return hide_secrets(super().format(record))


def _on_terminal(handler: logging.Handler) -> bool:
    stream: TextIO | None = getattr(handler, "stream", None)
    return stream is not None and stream.isatty()


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    log.critical("process_failed", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    error = failed.exc_value
    if error is not None and not isinstance(error, SystemExit):
        fields = {"thread_name": failed.thread.name if failed.thread else ""}
        log.error("thread_failed", exc_info=(type(error), error, failed.exc_traceback), extra=fields)
