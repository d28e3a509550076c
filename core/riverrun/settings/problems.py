"""Turns what the schema refuses into sentences that name key, value, what is allowed, and the source."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import timedelta

from pydantic_core import ErrorDetails

from riverrun.durations import format_duration
from riverrun.settings.keys import Key, allowed, find


def sentence(error: ErrorDetails, *, source: str | None) -> str:
    """Return one of pydantic's errors as a sentence; a secret value is never part of it."""
    path = [str(part) for part in error["loc"] if part != "[key]"]
    where = f" ({source})" if source else ""
    return f"{'.'.join(path) or 'the configuration'}: {_what(error, path)}{where}"


def _what(error: ErrorDetails, path: list[str]) -> str:
    if error["type"] == "extra_forbidden":
        return _unknown_key(path)
    key, expected = find(path), _expected(error, path)
    if error["type"] == "missing":
        return f"it is required; expected {expected}"
    if error["input"] is None:
        return f"nothing is given; expected {expected}"
    return f"{_shown(error, key, path)} is not allowed; expected {expected}"


def _expected(error: ErrorDetails, path: list[str]) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "too_short":
        return "at least one"
    if error["type"] == "string_type":
        return "text; numbers, true and false are text in quotes"
    key = find(path)
    if key is not None:
        return "text with at least one character" if error["type"] == "string_too_short" else allowed(key)
    return "text"


def _shown(error: ErrorDetails, key: Key | None, path: Sequence[str]) -> str:
    """Return the refused value in one short line, or a word for it where it could be a secret."""
    owner = key or find(path[:-1])
    if owner is None or owner.secret or (owner.section is not None and error["loc"][-1] != "[key]"):
        return "this value"
    value = error["input"]
    text = repr(format_duration(value) if isinstance(value, timedelta) else value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _unknown_key(path: list[str]) -> str:
    parent = find(path[:-1])
    known = [key.path[-1] for key in parent.children()] if parent else []
    near = difflib.get_close_matches(path[-1], known, n=1)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; expected one of {', '.join(known)}"
