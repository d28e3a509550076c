"""Holds one row of ``river_job`` as frozen data, read leniently, since clients in many languages write such rows."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import orjson

from riverrun.moments import bounded


class JobState(StrEnum):
    """The states of a job, in the order of River's enum type ``river_job_state``."""

    AVAILABLE = "available"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    DISCARDED = "discarded"
    PENDING = "pending"
    RETRYABLE = "retryable"
    RUNNING = "running"
    SCHEDULED = "scheduled"


FINALIZED = frozenset({JobState.CANCELLED, JobState.COMPLETED, JobState.DISCARDED})
"""The last states; a row has ``finalized_at`` exactly in these."""

LIVE = frozenset(JobState) - FINALIZED
"""The states of a job that has not ended."""

# orjson turns an integer of more than 64 bits into a float, and without a word.
_BIG_INTEGER = re.compile(r"[0-9]{19}")
_SMALL_NUMBER = re.compile(r"[0-9]{1,9}")
_MOST_INT_DIGITS = 4_000  # Python itself refuses to read an integer of more than 4,300


@dataclass(frozen=True, slots=True)
class AttemptError:
    """One element of ``river_job.errors``: how one attempt failed.

    Attributes:
        at: When the attempt started; None if another client wrote what is no time.
        attempt: Number of the attempt, from 1.
        error: The message.
        trace: The stack trace, or empty.
    """

    at: datetime | None
    attempt: int
    error: str
    trace: str = ""

    def to_json(self) -> str:
        """Return the element as text with River's four keys, in River's order.

        Clients that read strictly lose a whole result over one element in another form.

        Raises:
            ValueError: ``at`` is missing or has no zone.
        """
        if self.at is None or self.at.tzinfo is None:
            raise ValueError("an error is stored with the time its attempt started, in a zone")
        at = self.at.astimezone(UTC).replace(tzinfo=None).isoformat()
        element = {
            "at": (at.rstrip("0") if "." in at else at) + "Z",
            "attempt": self.attempt,
            "error": self.error,
            "trace": self.trace,
        }
        return json.dumps(element, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, element: object) -> AttemptError:
        """Return the error that ``element``, text or parsed, describes; what is no text stands there as JSON."""
        if isinstance(element, str | bytes):
            # Text that is not JSON stands as the message.
            with contextlib.suppress(ValueError):
                element = decode_json(element)
        if not isinstance(element, Mapping):
            return cls(at=None, attempt=0, error=_as_text(element))
        said = {key: _as_text(value) for key, value in element.items() if value is not None}
        attempt = said.get("attempt", "")
        return cls(
            at=_time_or_none(element.get("at")),
            attempt=int(attempt) if _SMALL_NUMBER.fullmatch(attempt) else 0,
            error=said.get("error", ""),
            trace=said.get("trace", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of ``river_job``. Times have a zone; `args_text` is the JSON text as PostgreSQL gives it."""

    id: int
    kind: str
    queue: str
    state: JobState
    args_text: str = field(repr=False)
    attempt: int
    max_attempts: int
    priority: int
    created_at: datetime
    scheduled_at: datetime
    attempted_at: datetime | None = None
    finalized_at: datetime | None = None
    attempted_by: tuple[str, ...] = ()
    errors: tuple[AttemptError, ...] = field(default=(), repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tags: tuple[str, ...] = ()
    unique_key: bytes | None = None
    unique_states: str | None = None

    @property
    def args(self) -> Any:
        """The arguments, decoded anew on each access, so that a handler may change what it got.

        Integers keep all their digits, whatever their size.

        Raises:
            ValueError: Another client stored what Python cannot read, such as nesting without end.
        """
        return decode_json(self.args_text)

    @property
    def error_count(self) -> int:
        """How many attempts failed; the retry delay grows with it."""
        return len(self.errors)


def decode_json(text: str | bytes) -> Any:
    """Return the value of JSON text from the database, with every digit of its integers.

    An integer of more than 4,000 digits comes as a Decimal.

    Raises:
        ValueError: The text is not JSON, or is nested too deeply.
    """
    if isinstance(text, bytes):
        text = text.decode()
    if not _BIG_INTEGER.search(text):
        # Numbers and nesting beyond its limits are left to json, which also knows what is really wrong.
        with contextlib.suppress(orjson.JSONDecodeError):
            return orjson.loads(text)
    try:
        return json.loads(text, parse_int=_whole_number)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def decode_members(text: str | bytes) -> dict[str, Any]:
    """Return the members of an object as `decode_json` does; none where another client has kept something else."""
    value = decode_json(text)
    return value if isinstance(value, dict) else {}


def _whole_number(digits: str) -> int | Decimal:
    """Return an integer of any length."""
    return int(digits) if len(digits) <= _MOST_INT_DIGITS else Decimal(digits)


def _as_text(value: object) -> str:
    """Return text as it is, and anything else as JSON without spaces."""
    return (
        value if isinstance(value, str) else json.dumps(value, default=repr, ensure_ascii=False, separators=(",", ":"))
    )


def _time_or_none(value: object) -> datetime | None:
    """Return an RFC 3339 time; what is finer than a microsecond is cut off."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return bounded(moment) if moment.tzinfo else None
