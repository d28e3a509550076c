"""Names every way an attempt can end, so that whoever handles outcomes can be checked to handle all of them.

An outcome says what the handler did; what that does to the row is decided in `transition`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler returned.

    Attributes:
        output_json: What it recorded as output, as text from `sanitize.clean_json`, or None.
    """

    output_json: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The handler raised, timed out, or asked for a retry.

    Attributes:
        error: The message that is stored with the job.
        trace: The stack trace that is stored with the job, or empty.
        retry_in: Time until the next attempt; None, or a negative one, leaves it to the retry policy.
        error_type: Name of the exception, for logs and metrics; it is not stored.
    """

    error: str
    trace: str = ""
    retry_in: timedelta | None = None
    error_type: str = ""


@dataclass(frozen=True, slots=True)
class Discarded:
    """The attempt failed in a way that no retry can mend; attributes as in `Failed`."""

    error: str
    trace: str = ""
    error_type: str = ""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The handler gave the job up for good, or stopped because it was told to; attributes as in `Failed`."""

    error: str
    trace: str = ""
    error_type: str = ""


@dataclass(frozen=True, slots=True)
class Snoozed:
    """The handler wants to be called again after ``delay``, without using up an attempt."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The executor stopped before the handler ended; the attempt is given back."""


Outcome: TypeAlias = Completed | Failed | Discarded | Cancelled | Snoozed | Interrupted
