"""Reads and writes JSON as Go's encoder would, because River's unique keys are hashes of such text.

Python's ``json.dumps`` differs from it in numbers (``1.0``, ``1e-07``), in what it escapes and in big
numbers, so two clients of one table would not recognise each other's jobs. The text is parsed without
turning numbers into machine numbers, so none of them loses a digit.

In the parsed form an object is a `Members`, an array a list, a number a `RawNumber`.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TypeAlias

from riverrun.errors import InvalidInput


class RawNumber(str):
    """A number as the text it was written in."""

    __slots__ = ()


class Members(tuple[tuple[str, "Value"], ...]):
    """The members of an object in the order of the text, duplicates included."""

    __slots__ = ()

    def first(self, name: str) -> Value | Missing:
        """Return the value of the first member of that name, as River does, or `MISSING`."""
        return next((value for key, value in self if key == name), MISSING)


class Missing:
    """The absence of a value, which is not JSON's null."""

    __slots__ = ()


MISSING = Missing()

Value: TypeAlias = "bool | str | RawNumber | list[Value] | Members | None"

_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = re.compile('["\\\\<>&\u2028\u2029\x00-\x1f\ud800-\udfff]')
_PLAIN_KEY = re.compile(r"[ !#-\[\]-~]*")
_NOT_ZERO = re.compile(r"[1-9]")


def parse(text: str, field: str) -> Value:
    """Return the parsed form of ``text``.

    Raises:
        InvalidInput: ``text`` is not JSON, or nested deeper than Python can follow.
    """
    try:
        value: Value = json.loads(
            text, object_pairs_hook=Members, parse_int=RawNumber, parse_float=RawNumber, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        # The text itself is not shown: arguments never reach a log.
        raise InvalidInput(field, type(error).__name__, "JSON text of reasonable depth", code="format") from error
    return value


def write(value: Value) -> str:
    """Return ``value`` as compact text, members in their order, as Go's encoder writes it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case RawNumber():
            return write_number(value)
        case str():
            return write_string(value)
        case Members():
            return "{" + ",".join(f"{write_string(key)}:{write(member)}" for key, member in value) + "}"
        case list():
            return "[" + ",".join(map(write, value)) + "]"


def write_key(key: str) -> str:
    """Return ``key`` as River writes the names it places itself: printable ASCII stays as it is."""
    return f'"{key}"' if _PLAIN_KEY.fullmatch(key) else write_string(key)


def write_string(text: str) -> str:
    """Return ``text`` as a JSON string in Go's escaping, which is safe to place in HTML."""
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def write_number(text: str) -> str:
    """Return the number as Go would write it.

    Integers stay digit for digit. A fraction is written as Go writes a ``float64``, but only when that
    is the same number: one that a ``float64`` cannot hold stays as it was written, so that two numbers
    never become one.
    """
    if not any(mark in text for mark in ".eE"):
        return text
    number = float(text)
    if number == 0.0:
        same = not _NOT_ZERO.search(re.split("[eE]", text)[0])
    else:
        same = abs(number) != float("inf") and Decimal(text) == Decimal(repr(number))
    return _write_float(number) if same else text


def _write_float(number: float) -> str:
    """Return the shortest text that reads back as ``number``; with exponent below 1e-6 and from 1e21."""
    if number != 0.0 and not 1e-6 <= abs(number) < 1e21:
        mantissa, exponent = repr(number).split("e")
        return f"{mantissa.removesuffix('.0')}e{exponent[0]}{exponent[1:].lstrip('0')}"
    return format(Decimal(repr(number)), "f").removesuffix(".0")


def _escape(match: re.Match[str]) -> str:
    """Return the escaped form of one character; half a surrogate pair becomes Go's replacement character."""
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    return "\\ufffd" if "\ud800" <= character <= "\udfff" else f"\\u{ord(character):04x}"


def _refuse_constant(name: str) -> Value:
    """Refuse NaN and Infinity, which Python's parser would take."""
    raise ValueError(f"{name} is not JSON")
