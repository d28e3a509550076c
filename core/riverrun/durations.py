"""Reads and prints lengths of time as people write them in configuration and on the command line.

The form is Go's, ``1h30m`` or ``250ms``, with ``d`` for days of 24 hours. A bare number means seconds.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from riverrun.errors import InvalidInput

LONGEST = timedelta(microseconds=(2**63 - 1) // 1000)
"""Go counts nanoseconds in 64 bits: 292 years."""

_NANOSECONDS = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "µs": 1_000,  # micro sign
    "μs": 1_000,  # Greek mu, which Go takes as well
    "ns": 1,
}
_NUMBER = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_PART = re.compile(rf"({_NUMBER})(d|h|ms|m|s|us|µs|μs|ns)")
_BARE_NUMBER = re.compile(_NUMBER)
_LONGEST_TEXT = 64
_PRINTED_UNITS = ("d", "h", "m", "s", "ms", "us")

_ALLOWED = "a time such as 250ms, 90s, 1h30m or 7d, or a number of seconds, from 0 to 292 years"
_ALLOWED_OR_NONE = f"{_ALLOWED}, or -1 for none"


def parse_duration(value: object, field: str) -> timedelta:
    """Return the length of time that ``value`` means; what is finer than a microsecond is cut off.

    Args:
        value: Text such as ``1h30m``, a number of seconds (also as text), or a timedelta.
        field: Path of the field, for the error.

    Raises:
        InvalidInput: Not such a value, negative, or longer than 292 years.
    """
    return _parse(value, field, allowed=_ALLOWED)


def parse_optional_duration(value: object, field: str) -> timedelta | None:
    """Return the same as `parse_duration`, or None for -1, River's way to say none."""
    if value in (-1, "-1") and not isinstance(value, timedelta):
        return None
    return _parse(value, field, allowed=_ALLOWED_OR_NONE)


def format_duration(duration: timedelta | None) -> str:
    """Return the text that `parse_duration` reads back as ``duration``; None is ``-1``, zero is ``0s``."""
    if duration is None:
        return "-1"
    rest = duration // timedelta(microseconds=1)
    parts = []
    for unit in _PRINTED_UNITS:
        amount, rest = divmod(rest, _NANOSECONDS[unit] // 1000)
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


def _parse(value: object, field: str, *, allowed: str) -> timedelta:
    """Return the length of time within its range."""
    match value:
        case timedelta():
            duration = value
        case bool():
            raise InvalidInput(field, value, allowed, code="type")
        case int() | float():
            if not 0 <= value <= LONGEST.total_seconds():  # also refuses NaN
                raise InvalidInput(field, value, allowed)
            duration = timedelta(seconds=value)
        case str():
            duration = _parse_text(value.strip(), field, allowed=allowed)
        case _:
            raise InvalidInput(field, value, allowed, code="type")
    if not timedelta(0) <= duration <= LONGEST:
        raise InvalidInput(field, value, allowed)
    return duration


def _parse_text(text: str, field: str, *, allowed: str) -> timedelta:
    """Return the sum of the parts of ``text``."""
    if len(text) > _LONGEST_TEXT:
        raise InvalidInput(field, text, allowed, code="length")
    if _BARE_NUMBER.fullmatch(text):
        text += "s"
    total, position = Decimal(0), 0
    while part := _PART.match(text, position):
        total += Decimal(part[1]) * _NANOSECONDS[part[2]]
        position = part.end()
    if position == 0 or position < len(text):
        raise InvalidInput(field, text, allowed, code="format")
    if total > 2**63 - 1:
        raise InvalidInput(field, text, allowed)
    return timedelta(microseconds=int(total) // 1000)
