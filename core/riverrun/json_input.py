"""Decides which arguments and metadata may come in: what ``jsonb`` would refuse is refused here, with a reason.

A value that PostgreSQL refused would take the rest of its batch with it. The limits of ``jsonb``, found
by trying: no ``\\u0000``, no half of a surrogate pair, no NaN or Infinity, at most 131,072 digits before
and 16,383 after the decimal point. A number is stored written in full, so ``1e131071`` takes eight bytes
to send and 131,072 to read; sizes here count numbers in full.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import NoReturn
from uuid import UUID

import orjson

from riverrun.errors import InvalidInput
from riverrun.sanitize import MAX_BYTES, MAX_DEPTH, UNSTORABLE

# A string, closed or not, is one match: a string that never ends is looked at once, not from each quote in it.
_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_NUMBER = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_ORDINARY_BYTES = 64 * 1024
_SUSPICIOUS = re.compile(rb"null|\\u0000|[0-9]e")
_NOTHING_FANCY = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_WHOLE_DIGITS = 131_072
_FRACTION_DIGITS = 16_383


def check_args_text(text: object, field: str) -> str:
    """Return ``text`` unchanged (bytes decoded) when it is a JSON object that ``jsonb`` can store.

    The text itself, not a parsed copy, is what gets stored, so no number loses a digit.

    Raises:
        InvalidInput: Not text, not UTF-8, not a JSON object, larger than 1 MiB, deeper than 64 levels, or
            with a character or a number that ``jsonb`` cannot hold. The message never quotes the text.
    """
    if not isinstance(text, str | bytes):
        raise InvalidInput(field, type(text).__name__, "a JSON object as text", code="type")
    text, size = _decoded(text, field)
    if size > MAX_BYTES:
        raise InvalidInput(field, size, f"at most {MAX_BYTES} bytes of JSON text", code="length")
    _check_depth(text, field)
    value = _parsed(text, field, spare=MAX_BYTES - size)
    if not isinstance(value, dict):
        raise InvalidInput(field, _json_type(value), "a JSON object", code="type")
    if "\\u" in text:  # only an escape can smuggle in what the decoding of the text has not refused
        _check_strings(value, field)
    return text


def check_args(value: object, field: str) -> str:
    """Return arguments given as JSON text or as a mapping as the text to store; errors as `check_args_text`."""
    return _encoded(value, field) if isinstance(value, Mapping) else check_args_text(value, field)


def check_metadata(value: object, field: str) -> str:
    """Return a mapping as the JSON text to store; errors as `check_args_text`."""
    if not isinstance(value, Mapping):
        raise InvalidInput(field, type(value).__name__, "a mapping of names to JSON values", code="type")
    return _encoded(value, field)


def _decoded(text: str | bytes, field: str) -> tuple[str, int]:
    """Return the text as characters, and its size in bytes of UTF-8."""
    try:
        return (text, len(text.encode())) if isinstance(text, str) else (text.decode(), len(text))
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise InvalidInput(field, f"{error.reason} at {error.start}", "text in UTF-8", code="format") from error


def _check_depth(text: str, field: str) -> None:
    """Refuse deep nesting before the parser, which recurses, meets it."""
    depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = match[0][0]
        depth += (mark in "[{") - (mark in "]}")
        if depth > MAX_DEPTH:
            raise InvalidInput(field, f"{depth} levels", f"at most {MAX_DEPTH} levels of nesting", code="range")


def _parsed(text: str, field: str, *, spare: int) -> object:
    """Return the parsed text; its numbers, written in full, may be longer by ``spare`` characters."""

    def refuse_constant(name: str) -> NoReturn:
        raise InvalidInput(field, name, "finite numbers", code="format")

    check_number = _number_check(field, spare)
    try:
        return json.loads(text, parse_constant=refuse_constant, parse_int=check_number, parse_float=check_number)
    except (ValueError, RecursionError) as error:
        where = f"{error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else "deep nesting"
        raise InvalidInput(field, where, "JSON text", code="format") from error


def _number_check(field: str, spare: int) -> Callable[[str], int]:
    """Return a function for the parser that refuses numbers which PostgreSQL cannot hold."""
    left = spare

    def check(text: str) -> int:
        nonlocal left
        match = _NUMBER.fullmatch(text)
        whole, fraction, exponent = match.groups(default="") if match else ("", "", "")
        # An exponent of eight digits is too large, whatever it is; int() would be slow on a long one.
        shift = int(exponent or "0") if len(exponent) < 8 else 10**8
        if len(whole) + shift > _WHOLE_DIGITS or len(fraction) - shift > _FRACTION_DIGITS:
            raise InvalidInput(field, f"a number of {len(text)} characters", "numbers that numeric can hold")
        left -= abs(shift)
        if left < 0:
            allowed = f"at most {MAX_BYTES} bytes with every number written in full"
            raise InvalidInput(field, "numbers with large exponents", allowed, code="length")
        return 0

    return check


def _check_strings(value: object, field: str) -> None:
    """Refuse NUL and halves of surrogate pairs in any name or string."""
    rest = [value]
    while rest:
        match rest.pop():
            case str() as text if found := UNSTORABLE.search(text):
                raise InvalidInput(field, f"\\u{ord(found[0]):04x}", "characters that text can hold", code="format")
            case dict() as members:
                rest += members.keys()
                rest += members.values()
            case list() as elements:
                rest += elements
            case _:
                pass  # a number, true, false or null


def _encoded(value: Mapping[object, object], field: str) -> str:
    """Return a mapping from Python code as checked JSON text."""
    return _plain(value) or _encoded_strictly(value, field)


def _plain(value: Mapping[object, object]) -> str | None:
    """Return the JSON text of ordinary arguments, or None when they deserve the strict and slower look.

    The fast encoder refuses what is no JSON, names that are no strings and halves of surrogate pairs. What it lets pass
    can be seen in its text: NaN became null, NUL is escaped, large numbers have an exponent.
    """
    try:
        data = orjson.dumps(value, option=_NOTHING_FANCY)
    except TypeError:
        return None
    if len(data) > _ORDINARY_BYTES or data.count(b"{") + data.count(b"[") > MAX_DEPTH or _SUSPICIOUS.search(data):
        return None
    return data.decode()


def _encoded_strictly(value: Mapping[object, object], field: str) -> str:
    """Return a mapping from Python code as JSON text, or say what is wrong with it."""
    allowed = "names that are strings and JSON values"
    try:
        text = json.dumps(
            dict(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_fast_encoder
        )
    except (TypeError, ValueError, RecursionError) as error:
        reason = "deep nesting" if isinstance(error, RecursionError) else str(error)
        raise InvalidInput(field, reason, allowed, code="type") from error
    check_args_text(text, field)
    rest: list[object] = [value]
    while rest:
        match rest.pop():
            case Mapping() as members:
                # The encoder would turn 1 and None into "1" and "null" without a word.
                if any(not isinstance(name, str) for name in members):
                    raise InvalidInput(field, "a name that is no string", allowed, code="type")
                rest += members.values()
            case list() | tuple() as elements:
                rest += elements
            case _:
                pass  # a string, number, true, false or null: the encoder knew it
    return text


def _as_fast_encoder(value: object) -> object:
    """Return what the fast encoder makes of the two types that it knows and ``json`` does not."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _json_type(value: object) -> str:
    """Return JSON's word for the type of a parsed value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "number"
