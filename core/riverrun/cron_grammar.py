"""Reads the expression of a schedule, in River's grammar, and refuses what could never be due.

Five cron fields (minute, hour, day of the month, month, weekday; Sunday is 0 and only 0), ``@daily`` and its
kind, ``@every <duration>``, and a zone in front: ``CRON_TZ=Europe/Berlin 30 6 * * 1-5``. When both days are
restricted, either may match. Every number is checked before anything is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from cronsim import CronSimError

from riverrun.due_times import Calendar, Every
from riverrun.durations import parse_duration
from riverrun.errors import InvalidInput
from riverrun.moments import EPOCH

_SECOND = timedelta(seconds=1)
_LONGEST_EXPRESSION = 1_000

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ALLOWED = (
    "five fields (minute hour day month weekday), @yearly, @monthly, @weekly, @daily, @hourly or '@every <duration>', "
    "with CRON_TZ=<zone> in front if wanted"
)


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the five fields: its name in errors, its numbers, and the words for them."""

    name: str
    lowest: int
    highest: int
    words: Mapping[str, int]


def _numbered(words: str, first: int) -> dict[str, int]:
    """Return consecutive numbers by word."""
    return {word: number for number, word in enumerate(words.split(), start=first)}


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, _numbered("jan feb mar apr may jun jul aug sep oct nov dec", 1)),
    _Field("weekday", 0, 6, _numbered("sun mon tue wed thu fri sat", 0)),
)
_NUMBER = "[a-z]{3}|[0-9]{1,4}"
_TERM = re.compile(rf"(?:(?P<star>[*?])|(?P<low>{_NUMBER})(?:-(?P<high>{_NUMBER}))?)(?:/(?P<step>[0-9]{{1,4}}))?")


Expression: TypeAlias = Calendar | Every


def parse_expression(text: object, field: str, *, zone: str = "UTC") -> Expression:
    """Return the meaning of a schedule's expression.

    Args:
        text: The expression.
        field: Path of the field, for the error.
        zone: Zone for an expression that names none.

    Raises:
        InvalidInput: The expression cannot be read, or would never be due, such as 30 February.
    """
    if not isinstance(text, str):
        raise InvalidInput(field, text, _ALLOWED, code="type")
    if len(text) > _LONGEST_EXPRESSION:
        raise InvalidInput(field, text, f"at most {_LONGEST_EXPRESSION} characters", code="length")
    zone_info, body = check_zone(zone, f"{field}.zone"), text.strip()
    if body.startswith(("CRON_TZ=", "TZ=")):
        prefix, _, body = body.partition(" ")
        zone_info, body = check_zone(prefix.partition("=")[2], field), body.strip()
    if body.startswith("@every "):
        return _parse_every(body.removeprefix("@every ").strip(), field)
    return _parse_fields(_MACROS.get(body, body), field, text=text, zone=zone_info)


def check_zone(name: object, field: str) -> ZoneInfo:
    """Return the zone of that name from the time zone database, such as ``Europe/Berlin``."""
    allowed = "a zone of the time zone database, such as UTC or Europe/Berlin"
    if not isinstance(name, str):
        raise InvalidInput(field, name, allowed, code="type")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; a path; a folder such as "Europe"
        raise InvalidInput(field, name, allowed, code="unknown") from error


def _parse_every(text: str, field: str) -> Every:
    """Return the period after ``@every``: whole seconds of it, and at least one."""
    if not text[-1:].isalpha():
        allowed = "'@every' with a duration such as 90s, 1h30m or 7d"
        raise InvalidInput(field, f"@every {text}", allowed, code="format")
    return Every(max(_SECOND, parse_duration(text, field) // _SECOND * _SECOND))


def _parse_fields(body: str, field: str, *, text: str, zone: ZoneInfo) -> Calendar:
    """Return the meaning of five fields."""
    parts = body.lower().split()
    if len(parts) != len(_FIELDS):
        raise InvalidInput(field, text, _ALLOWED, code="format")
    fields = " ".join(_plain(part, kind, field) for part, kind in zip(parts, _FIELDS, strict=True))
    calendar = Calendar(fields, zone, follows_the_clock=parts[1][0] not in "*?")
    try:
        calendar.next_after(EPOCH)
    except CronSimError as error:
        raise InvalidInput(field, text, "a day that exists in one of its months; this is never due") from error
    return calendar


def _plain(part: str, kind: _Field, field: str) -> str:
    """Return one field as ``*`` or a list of numbers.

    A step makes a star a restriction, for River: ``0 0 */2 * 1`` is every second day *or* Monday.
    """
    numbers: set[int] = set()
    unrestricted = False
    for term in part.split(","):
        match = _TERM.fullmatch(term)
        if not match:
            raise InvalidInput(field, term, _allowed_in(kind), code="format")
        step = int(match["step"] or 1)
        low, high = _bounds(match, kind, field)
        if step == 0:
            raise InvalidInput(field, term, f"a step of 1 or more in the {kind.name}")
        numbers.update(range(low, high + 1, step))
        unrestricted = unrestricted or (match["star"] is not None and step == 1)
    return "*" if unrestricted else ",".join(map(str, sorted(numbers)))


def _bounds(match: re.Match[str], kind: _Field, field: str) -> tuple[int, int]:
    """Return the first and the last number of a term before its step is applied."""
    if match["star"]:
        return kind.lowest, kind.highest
    low = _number(match["low"], kind, field)
    high = low
    if match["high"]:
        high = _number(match["high"], kind, field)
    elif match["step"]:
        high = kind.highest
    if high < low:
        raise InvalidInput(field, match[0], f"a range that does not run backwards in the {kind.name}")
    return low, high


def _number(text: str, kind: _Field, field: str) -> int:
    """Return a number or word of a field."""
    number = int(text) if text.isdigit() else kind.words.get(text, -1)
    if not kind.lowest <= number <= kind.highest:
        raise InvalidInput(field, text, _allowed_in(kind))
    return number


def _allowed_in(kind: _Field) -> str:
    """Return what a field may hold."""
    words = f" or {next(iter(kind.words))} and so on" if kind.words else ""
    return f"{kind.lowest} to {kind.highest}{words}, *, ?, lists, ranges or steps in the {kind.name}"
