"""What an executor and the process of an isolated handler tell each other: one JSON document a line.

executor ── Hello, Begin, Stop ──▶ child ── Ready, Noted, Logged, Ended, Stopped ──▶ executor
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

from pydantic import TypeAdapter

from riverrun.claimed_job import ClaimedJob
from riverrun.outcome import Outcome

MAX_LINE_BYTES = 128 * 1024 * 1024
"""Room for the largest output, every byte of it escaped."""

_OUTCOMES = {each.__name__: TypeAdapter(each) for each in get_args(Outcome)}


@dataclass(frozen=True, slots=True)
class Hello:
    """What the child lives with: where its handlers are, and whom it works for."""

    modules: tuple[str, ...]
    path: tuple[str, ...]
    schema: str | None
    server_id: str
    incarnation: str
    log_level: int


@dataclass(frozen=True, slots=True)
class Begin:
    """Run an attempt by ``handler``; ``row`` is the claimed job as the claim returned it."""

    handler: str
    row: tuple[Any, ...]
    queue: str
    limit_seconds: float | None
    memory_mb: int | None

    @property
    def job(self) -> ClaimedJob:
        """The job."""
        return ClaimedJob(self.row, self.queue)


@dataclass(frozen=True, slots=True)
class Stop:
    """The attempt is over: cancel it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The child has loaded the handlers."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What the attempt noted since the last time, as a JSON object."""

    notes: str


@dataclass(frozen=True, slots=True)
class Logged:
    """A log record."""

    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """How the attempt ended, and all that it noted."""

    name: str
    fields: str
    notes: str | None

    @classmethod
    def of(cls, outcome: Outcome, notes: str | None) -> Ended:
        """Return the message about ``outcome``."""
        name = type(outcome).__name__
        return cls(name, _OUTCOMES[name].dump_json(outcome).decode(), notes)

    @property
    def outcome(self) -> Outcome:
        """The outcome."""
        return _OUTCOMES[self.name].validate_json(self.fields)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Stopped:
    """The attempt ended because it was told to."""

    notes: str | None


Message: TypeAlias = Hello | Begin | Stop | Ready | Noted | Logged | Ended | Stopped

_TYPES = {each.__name__: each for each in get_args(Message)}


def begin(handler: str, job: ClaimedJob, *, limit_seconds: float | None, memory_mb: int | None) -> Begin:
    """Return the order to run an attempt of ``job``."""
    row = (
        job.id, job.kind, job.args_text, job.attempt, job.max_attempts, job.priority, job.metadata_text, list(job.tags),
        job.error_count, job.attempted_us, job.scheduled_us, job.created_us,
    )  # fmt: skip
    return Begin(handler, row, job.queue, limit_seconds, memory_mb)


def encode(message: Message) -> bytes:
    """Return a message as a line; in ASCII, so that texts with halves of surrogate pairs pass too."""
    members = {field.name: getattr(message, field.name) for field in dataclasses.fields(message)}
    return json.dumps([type(message).__name__, members], default=repr).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of a line.

    Raises:
        ValueError: The line is none; somebody else wrote into the pipe.
    """
    try:
        name, members = json.loads(line)
        message: Message = _TYPES[name](**members)
    except (KeyError, TypeError) as error:
        raise ValueError("not a message of a child") from error
    return message
