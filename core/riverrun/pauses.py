"""Why a queue is paused, and until when: the one place where that is checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from riverrun.errors import InvalidInput
from riverrun.moments import check_moment
from riverrun.sanitize import UNSTORABLE

LONGEST_REASON = 255


@dataclass(frozen=True, slots=True)
class Pause:
    """What was said about the pause of a queue.

    Attributes:
        reason: Why, for people.
        actor: Who paused it.
        resume_at: When the leader lets it go on; ``None``: when somebody does.
    """

    reason: str = ""
    actor: str = ""
    resume_at: datetime | None = None


def new_pause(reason: object = "", *, actor: str = "", resume_at: object = None) -> Pause:
    """Check what is said about a pause and return it.

    Raises:
        InvalidInput: Something is not allowed; names the field.
    """
    if not isinstance(reason, str):
        raise InvalidInput("reason", reason, "text", code="type")
    if len(reason) > LONGEST_REASON:
        raise InvalidInput("reason", len(reason), f"at most {LONGEST_REASON} characters", code="length")
    if UNSTORABLE.search(reason):
        raise InvalidInput("reason", reason, "text without NUL and halves of surrogate pairs", code="format")
    until = None if resume_at is None else check_moment(resume_at, "resume_at")
    return Pause(reason.strip(), actor[:LONGEST_REASON], until)
