"""Makes what a handler leaves behind (error texts, output) storable, whatever it is.

PostgreSQL refuses NUL and halves of surrogate pairs in text, and NaN and Infinity besides in ``jsonb``; one
such value would fail the whole batch of outcomes it is written with. So nothing here raises: it replaces.
What a sender gives is refused instead, in `json_input`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from uuid import UUID

MAX_BYTES = 1024 * 1024
"""The most bytes that arguments, metadata or output may have, as JSON text."""

MAX_DEPTH = 64
"""The deepest nesting of arrays and objects."""

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""The characters that PostgreSQL cannot store."""

_ELLIPSIS = "…"
_ELLIPSIS_BYTES = len(_ELLIPSIS.encode())

_LONGEST_REPR = 2_000
_LARGEST_INT_BITS = 14_000  # about 4,200 digits; Python itself refuses to print more than 4,300


def clean_text(text: str, limit: int) -> str:
    """Return ``text`` in a form that PostgreSQL stores, in at most ``limit`` bytes of UTF-8.

    NUL and halves of surrogate pairs become U+FFFD. A text that is too long is cut between two characters
    and ends in "…", if there is room for it.
    """
    text = UNSTORABLE.sub("\ufffd", text[: limit + 1])
    data = text.encode()
    if len(data) <= limit:
        return text
    room, mark = (limit - _ELLIPSIS_BYTES, _ELLIPSIS) if limit >= _ELLIPSIS_BYTES else (limit, "")
    return data[:room].decode(errors="ignore") + mark


def error_text(error: BaseException) -> str:
    """Return the type and the message of an error, whose methods may be broken themselves."""
    name = type(error).__name__
    try:
        message = str(error)
    except BaseException:  # noqa: BLE001 - a stranger's __str__ may raise anything
        return f"{name} (its message cannot be read)"
    return f"{name}: {message}" if message else name


def clean_json(value: object, *, limit: int = MAX_BYTES) -> str:
    """Return ``value`` as JSON text that ``jsonb`` takes; never raises.

    Texts are cleaned as in `clean_text`. NaN and the infinities become strings, dates, UUIDs and decimals
    their usual text, every other foreign object its ``repr``, what lies deeper than 64 levels a remark.
    A value that is larger than ``limit`` bytes, or cannot be read, is replaced as a whole by an object
    with the one member ``riverrun:omitted``, which says why.
    """
    writer = _Writer(limit)
    try:
        writer.write(value, depth=0)
    except _TooLargeError:
        return _omitted(f"larger than {limit} bytes")
    except Exception as error:  # noqa: BLE001 - the value is a stranger's: its methods may raise anything
        return _omitted(f"{type(error).__name__} while it was written as JSON")
    return "".join(writer.parts)


class _TooLargeError(Exception):
    """The text being written has outgrown its limit."""


class _Writer:
    """Writes any value as JSON text and stops at a number of bytes, so that no value can fill the memory."""

    def __init__(self, limit: int) -> None:
        self.parts: list[str] = []
        self._left = limit

    def write(self, value: object, *, depth: int) -> None:
        """Append ``value``, which lies within ``depth`` arrays and objects."""
        match value:
            case None | bool():
                self._append(json.dumps(value))
            case int() if value.bit_length() <= _LARGEST_INT_BITS:
                self._append(int.__repr__(value))
            case int():
                self._append_string(f"an integer of {value.bit_length()} bits")
            case float():
                self._append_float(value)
            case str():
                self._append_string(value)
            case Mapping() | list() | tuple() if depth == MAX_DEPTH:
                self._append_string(f"deeper than {MAX_DEPTH} levels")
            case Mapping():
                self._write_members(value, depth=depth)
            case list() | tuple():
                self._write_elements(value, depth=depth)
            case date() | UUID() | Decimal():
                self._append_string(str(value))
            case _:
                self._append_string(clean_text(repr(value), _LONGEST_REPR))

    def _write_members(self, value: Mapping[object, object], *, depth: int) -> None:
        self._append("{")
        for position, (key, member) in enumerate(value.items()):
            if position:
                self._append(",")
            self._append_string(key if isinstance(key, str) else clean_text(str(key), _LONGEST_REPR))
            self._append(":")
            self.write(member, depth=depth + 1)
        self._append("}")

    def _write_elements(self, value: list[object] | tuple[object, ...], *, depth: int) -> None:
        self._append("[")
        for position, element in enumerate(value):
            if position:
                self._append(",")
            self.write(element, depth=depth + 1)
        self._append("]")

    def _append_float(self, value: float) -> None:
        if not math.isfinite(value):
            self._append_string({math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN"))
            return
        text = float.__repr__(value)
        self._left -= abs(int(text.partition("e")[2] or "0"))
        self._append(text)

    def _append_string(self, text: str) -> None:
        if len(text) > self._left:
            raise _TooLargeError
        self._append(json.dumps(UNSTORABLE.sub("\ufffd", text), ensure_ascii=False))

    def _append(self, text: str) -> None:
        self._left -= len(text) if text.isascii() else len(text.encode())
        if self._left < 0:
            raise _TooLargeError
        self.parts.append(text)


def _omitted(reason: str) -> str:
    """Return the text that stands for a value that was left out."""
    return json.dumps({"riverrun:omitted": reason})
