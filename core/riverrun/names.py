"""Says which names and numbers a job may carry, so that every door refuses the same values.

Each ``check_…`` takes what a sender wrote and the path of the field it stood in, and returns the
value in its own type or raises `InvalidInput`. The rules are River's own, so that a row written here
can be worked by a client in any language; the patterns are written without nested repetition, so that
no input makes them slow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from riverrun.errors import InvalidInput
from riverrun.job import JobState

MAX_JOB_ID = 2**63 - 1
MAX_PRIORITY = 9
MAX_ATTEMPTS = 32_767

# re.ASCII: a "word" character means a-z A-Z 0-9 _ in River, whatever the alphabet of the sender.
_QUEUE = re.compile(r"[a-z0-9]+(?:[_|-][a-z0-9]+)*")
_ANY_QUEUE = re.compile(r"[A-Za-z0-9_|:.-]+")
_KIND = re.compile(r"\w[\w\-\[\]<>/.·:+]+", re.ASCII)
_TAG = re.compile(r"\w[\w-]+\w", re.ASCII)
_LOOKED_UP = re.compile("[^\x00\ud800-\udfff]+")  # all that PostgreSQL stores
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_SERVER_ID = re.compile(r"[A-Za-z0-9._-]+")
_JOB_ID = re.compile(r"[0-9]{1,19}")

_QUEUE_ALLOWED = "1 to 64 lower-case letters and digits, in groups joined by single '_', '-' or '|'"
_ANY_QUEUE_ALLOWED = "1 to 127 letters, digits and _-|:."
_KIND_ALLOWED = "2 to 127 letters, digits and _-[]<>/.·:+, beginning with a letter, a digit or _"
_TAG_ALLOWED = "3 to 255 letters, digits, _ and -, neither beginning nor ending with -"
_LOOKED_UP_ALLOWED = "1 to 255 characters of text"
_FINGERPRINT_ALLOWED = "16 of 0-9 and a-f, as the list of errors has them"
_SERVER_ID_ALLOWED = "1 to 64 letters, digits, '.', '_' and '-'"


def check_queue(value: object, field: str) -> str:
    """Return ``value`` as the name of a queue; ``|`` is a separator for River and therefore here."""
    return _matching(value, field, pattern=_QUEUE, longest=64, allowed=_QUEUE_ALLOWED)


def check_any_queue(value: object, field: str) -> str:
    """Return ``value`` as the name of a queue to look up: River's client for Ruby makes such as others must not."""
    return _matching(value, field, pattern=_ANY_QUEUE, longest=127, allowed=_ANY_QUEUE_ALLOWED)


def check_kind(value: object, field: str) -> str:
    """Return ``value`` as the kind of a job, the stable string that picks its handler."""
    return _matching(value, field, pattern=_KIND, longest=127, allowed=_KIND_ALLOWED)


def check_looked_up(value: object, field: str) -> str:
    """Return ``value`` as the kind, queue or tag of jobs to look for, which another client may have made by no rule."""
    return _matching(value, field, pattern=_LOOKED_UP, longest=255, allowed=_LOOKED_UP_ALLOWED)


def check_schedule_name(value: object, field: str) -> str:
    """Return ``value`` as the name of a schedule; the rule is that of kinds, as in River."""
    return check_kind(value, field)


def check_tag(value: object, field: str) -> str:
    """Return ``value`` as one tag."""
    return _matching(value, field, pattern=_TAG, longest=255, allowed=_TAG_ALLOWED)


def check_tags(value: object, field: str) -> tuple[str, ...]:
    """Return ``value`` as tags in their order; an error names the position, such as ``tags.2``."""
    if value == ():
        return ()
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise InvalidInput(field, value, "a list of tags", code="type")
    return tuple(check_tag(tag, f"{field}.{position}") for position, tag in enumerate(value))


def check_fingerprint(value: object, field: str) -> str:
    """Return ``value`` as the fingerprint of a group of failures."""
    return _matching(value, field, pattern=_FINGERPRINT, longest=16, allowed=_FINGERPRINT_ALLOWED)


def check_server_id(value: object, field: str) -> str:
    """Return ``value`` as the name of a server in the fleet."""
    return _matching(value, field, pattern=_SERVER_ID, longest=64, allowed=_SERVER_ID_ALLOWED)


def check_priority(value: object, field: str) -> int:
    """Return ``value`` as a priority: 1 runs first, 9 last; River's own clients use 1 to 4."""
    return _whole_number(value, field, highest=MAX_PRIORITY, allowed="a whole number from 1 (first) to 9")


def priority_in_text(value: object, field: str) -> int:
    """Return as a priority what a query or a filter says in digits."""
    text = str(value)
    return check_priority(int(text) if text.isascii() and text.isdigit() and len(text) < 9 else text, field)


def check_state(value: object, field: str) -> JobState:
    """Return ``value`` as a state of a job."""
    try:
        return JobState(str(value))
    except ValueError as error:
        raise InvalidInput(field, value, ", ".join(JobState), code="unknown") from error


def check_max_attempts(value: object, field: str) -> int:
    """Return ``value`` as the number of attempts a job may use up."""
    return _whole_number(value, field, highest=MAX_ATTEMPTS, allowed="a whole number from 1 to 32767")


def check_flag(value: object, field: str) -> bool:
    """Return ``value`` as yes or no; 1 and 0 are neither."""
    if not isinstance(value, bool):
        raise InvalidInput(field, value, "true or false", code="type")
    return value


def check_job_id(value: object, field: str) -> int:
    """Return ``value`` as the id of a job; digits in a string are taken too, as River UI sends them."""
    if isinstance(value, str) and _JOB_ID.fullmatch(value):
        value = int(value)
    return _whole_number(value, field, highest=MAX_JOB_ID, allowed="a whole number from 1 to 9223372036854775807")


def _matching(value: object, field: str, *, pattern: re.Pattern[str], longest: int, allowed: str) -> str:
    """Return ``value`` when it is a string of at most ``longest`` characters that ``pattern`` matches whole."""
    if not isinstance(value, str):
        raise InvalidInput(field, value, allowed, code="type")
    if not 1 <= len(value) <= longest:
        raise InvalidInput(field, value, allowed, code="length")
    if not pattern.fullmatch(value):
        raise InvalidInput(field, value, allowed, code="format")
    return value


def _whole_number(value: object, field: str, *, highest: int, allowed: str) -> int:
    """Return ``value`` when it is an integer from 1 to ``highest``; ``True`` is not 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(field, value, allowed, code="type")
    if not 1 <= value <= highest:
        raise InvalidInput(field, value, allowed, code="range")
    return value
