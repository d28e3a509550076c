"""Keeps what a handler logs with its job, where River's own log middleware keeps it and River UI shows it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from riverrun.claimed_job import ClaimedJob
from riverrun.sanitize import clean_json, clean_text
from riverrun.telemetry.secrets import hide_secrets
from riverrun.telemetry.text_lines import event_words, moment

LOG_KEY = "river:log"
LOGGER = "riverrun.job"

MAX_ATTEMPT_BYTES = 2 * 1024 * 1024
"""River's limit for the log of one attempt; what is logged beyond it is not kept."""

MAX_BYTES = 8 * 1024 * 1024
"""River's limit for the logs of all attempts; beyond it the oldest are dropped, never the newest."""

LIVE_BYTES_PER_SECOND = 64 * 1024
"""While the attempt runs its log is written whole each time, so a long one is written less often."""

_MAX_ENTRY_BYTES = 16 * 1024 * 1024  # two million characters that JSON escapes with six


class JobLog(logging.Handler):
    """The log of one attempt: an element ``{"attempt", "log"}`` behind those of the attempts before it."""

    def __init__(self, job: ClaimedJob) -> None:
        super().__init__()
        self._job = job
        self._earlier = entries_of(job.metadata)
        self._adopted = ""
        self._lines: list[str] = []
        self._room = MAX_ATTEMPT_BYTES
        self._changed = False
        self._next_look = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record as a line of text, cut where the room for this attempt ends."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - logging's own way: what cannot be formatted is told to stderr
            self.handleError(record)
            return
        if self._room <= 0:
            return
        size = len(line.encode(errors="replace")) + 1
        self._lines.append(line if size <= self._room else clean_text(line, self._room - 1))
        self._room -= size
        self._changed = True

    def format(self, record: logging.LogRecord) -> str:
        """Return ``time LEVEL event key=value …`` without secrets and without what the job says of itself."""
        time_of_day = moment(record).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = " ".join([time_of_day, record.levelname, *event_words(record, without=_OF_THE_JOB)])
        if record.exc_info:
            line += "\n" + logging.Formatter().formatException(record.exc_info)
        return hide_secrets(line)

    def adopt(self, entries: Sequence[Mapping[str, str]]) -> None:
        """Take over the log of the attempt from another process, where it is the last of ``entries``."""
        self._adopted = entries[-1]["log"]
        self._changed = True

    def take(self) -> str | None:
        """Return `text` if it is time to write it while the attempt runs, else ``None``."""
        if not self._changed or time.monotonic() < self._next_look:
            return None
        self._changed = False  # before the lines are read: one that comes now is looked for again
        text = self.text()
        if text is not None:
            self._next_look = time.monotonic() + len(text) / LIVE_BYTES_PER_SECOND
        return text

    def text(self) -> str | None:
        """Return the logs of all attempts as the JSON text of an array; ``None`` when there is nothing to write."""
        lines = self._adopted + "".join(f"{line}\n" for line in list(self._lines))
        if not lines or self._earlier is None:
            return None
        return with_newest(self._earlier, self._job.attempt, lines)


class JobLogger(logging.LoggerAdapter[logging.Logger]):
    """Adds the fields of a job to every line, beside those the caller gives, and keeps the lines with the job."""

    def __init__(self, kept: JobLog, fields: Mapping[str, object]) -> None:
        # One of the attempt's own: its lines go to the log of the job and, through its parent, to that of the process.
        logger = logging.Logger(LOGGER)  # noqa: LOG001 - nobody else is to find it by its name
        logger.parent = logging.getLogger(LOGGER)
        logger.addHandler(kept)
        super().__init__(logger, fields)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Merge the fields into ``extra``; those of the job win."""
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs


def entries_of(metadata: Mapping[str, Any], *, but_of: int | None = None) -> list[str] | None:
    """Return the logs of a job's attempts, each as JSON text, without that of the attempt ``but_of``.

    None: another client keeps something there in a form that is not River's; it is left as it is.
    """
    entries = metadata.get(LOG_KEY, [])
    if not isinstance(entries, list):
        return None
    return [clean_json(entry, limit=MAX_BYTES) for entry in entries if but_of is None or attempt_of(entry) != but_of]


def attempt_of(entry: object) -> object:
    """Return which attempt an element of the log belongs to; None for what is not River's."""
    return entry.get("attempt") if isinstance(entry, dict) else None


def with_newest(earlier: Sequence[str], attempt: int, log: str) -> str:
    """Return the logs of all attempts as the JSON text of an array; beyond `MAX_BYTES` the oldest are dropped."""
    newest = clean_json({"attempt": attempt, "log": log}, limit=_MAX_ENTRY_BYTES)
    kept, room = [newest], MAX_BYTES - len("[]") - _size(newest)
    for entry in reversed(earlier):
        room -= len(",") + _size(entry)
        if room < 0:
            break
        kept.insert(0, entry)
    return f"[{','.join(kept)}]"


def job_fields(job: ClaimedJob, server_id: str) -> dict[str, object]:
    """Return what every log line about ``job`` carries."""
    return {
        "job_id": job.id,
        "kind": job.kind,
        "queue": job.queue,
        "attempt": job.attempt,
        "server_id": server_id,
    }


_OF_THE_JOB = frozenset({"job_id", "kind", "queue", "attempt", "server_id"})


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
