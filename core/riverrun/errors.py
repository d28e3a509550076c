"""Every error Riverrun raises on purpose.

RiverrunError
├── InvalidInput            a value from outside was refused; nothing was changed
├── ConfigError             the configuration cannot be used; lists everything wrong with it
├── NotFound                no job, queue, handler or schedule of that name
├── Conflict                the request is fine, the present state forbids it
│   ├── JobRunning          the job is being executed right now
│   ├── JobFinalized        the job has reached a last state
│   ├── UniqueConflict      another unfinished job has the same unique key
│   └── StaleRevision       it was changed since the sender looked at it
├── StaleAttempt            the job was taken from this attempt; whatever it still writes must not count
├── ResourceUnavailable     something that handlers share in a process could not be opened
├── SchemaError             the database's tables are not the ones this release works on
└── DatabaseUnavailable     PostgreSQL could not be reached or did not answer in time
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

Code = Literal["type", "range", "format", "length", "unknown", "required", "conflict", "egress", "cursor"]
"""What is wrong with a value: of the wrong type or form, too long, missing, not allowed beside another, and so on."""


class RiverrunError(Exception):
    """Base of every error that Riverrun raises on purpose."""


class InvalidInput(RiverrunError):
    """A value from outside was refused; nothing was changed.

    Attributes:
        field: Path of the field as its sender wrote it, such as ``priority`` or ``jobs.3.queue``.
        allowed: What would have been accepted, as the end of a sentence.
        code: A stable word for programs.
    """

    def __init__(self, field: str, value: object, allowed: str, *, code: Code = "range") -> None:
        if value is None and code in ("required", "type"):
            super().__init__(f"{field}: nothing is given; expected {allowed}")
        else:
            super().__init__(f"{field}: {_shown(value)} is not allowed; expected {allowed}")
        self.field = field
        self.allowed = allowed
        self.code = code

    def rename(self, field: str) -> None:
        """Call the field what its sender calls it, such as ``--at`` or ``jobs.3.queue``."""
        self.args = (f"{field}{str(self)[len(self.field) :]}",)
        self.field = field


class ConfigError(RiverrunError):
    """The configuration cannot be used.

    Attributes:
        problems: One sentence for each thing that is wrong, each naming the path of its key.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class NotFound(RiverrunError):
    """No job, queue, handler or schedule of that name exists."""

    def __init__(self, what: str, name: object) -> None:
        super().__init__(f"{what} {name} does not exist")
        self.what = what
        self.name = name


class Conflict(RiverrunError):
    """The request is well formed, but the present state of its target forbids it."""


class JobRunning(Conflict):
    """The job is being executed right now."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"job {job_id} is running; cancel it first")
        self.job_id = job_id


class JobFinalized(Conflict):
    """The job has reached a last state and cannot be changed."""

    def __init__(self, job_id: int, state: str) -> None:
        super().__init__(f"job {job_id} is already {state}")
        self.job_id = job_id
        self.state = state


class UniqueConflict(Conflict):
    """Another job with the same unique key is still unfinished."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"job {job_id} has the unique key of another unfinished job")
        self.job_id = job_id


class StaleRevision(Conflict):
    """It was changed since the sender looked at it.

    Attributes:
        revision: The revision that it has now.
    """

    def __init__(self, what: str, revision: int) -> None:
        super().__init__(f"{what} was changed meanwhile and has revision {revision} now; look at it again")
        self.revision = revision


class StaleAttempt(RiverrunError):
    """The job was taken from this attempt, and may run elsewhere; roll back what the attempt has written."""

    def __init__(self, job_id: int, attempt: int) -> None:
        super().__init__(f"job {job_id} no longer belongs to its attempt {attempt}")
        self.job_id = job_id
        self.attempt = attempt


class ResourceUnavailable(RiverrunError):
    """Something that handlers share in a process could not be opened."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"resource {name}: {reason}")
        self.name = name


class SchemaError(RiverrunError):
    """The tables in the database are not the ones this release works on."""


class DatabaseUnavailable(RiverrunError):
    """PostgreSQL could not be reached, or did not answer in time."""


def _shown(value: object, limit: int = 80) -> str:
    """Return ``value`` as one short line for an error message."""
    try:
        text = value.isoformat() if isinstance(value, datetime) else repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits; lists in lists without end
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"
