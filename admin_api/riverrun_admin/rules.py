"""Check request bodies under the rules that all doors share, and report everything that is wrong with them at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from riverrun import names
from riverrun.errors import InvalidInput
from riverrun.json_input import check_args_text
from riverrun.moments import check_moment
from riverrun_admin.problems import FieldError, invalid, pointer_of

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_TIME_ALLOWED = "a time with a zone, such as 2030-01-31T08:00:00Z"


def shared(check: Callable[[object, str], T], *, optional: bool = False) -> BeforeValidator:
    """Return one of the rules that all doors share, for use on a field; ``optional`` lets null through."""

    def validate(value: object) -> T | None:
        if optional and value is None:
            return None
        try:
            return check(value, "")
        except InvalidInput as error:
            place = error.field.strip(".")
            reason = str(error).removeprefix(f"{error.field}: ")
            code: Any = error.code  # pydantic wants a literal, the errors tree has the words
            raise PydanticCustomError(
                code, "{reason}", {"reason": f"{place}: {reason}" if place else reason}
            ) from error

    return BeforeValidator(validate)


def check_time(value: object, field: str) -> datetime:
    """Return an RFC 3339 time; digits beyond microseconds are cut off.

    Raises:
        InvalidInput: It is not one, has no zone, or lies before 1970 or after 9998.
    """
    if not isinstance(value, str):
        raise InvalidInput(field, value, _TIME_ALLOWED, code="type")
    if not _TIME.fullmatch(value):
        raise InvalidInput(field, value, _TIME_ALLOWED, code="format")
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError as error:
        raise InvalidInput(field, value, _TIME_ALLOWED, code="format") from error
    return check_moment(moment, field)


def check_slots(value: object, field: str) -> int:
    """Return a number of slots, 1 to 10,000.

    Raises:
        InvalidInput: It is not one.
    """
    allowed = "a whole number from 1 to 10000, or null for what is configured"
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(field, value, allowed, code="type")
    if not 1 <= value <= 10_000:
        raise InvalidInput(field, value, allowed)
    return value


def check_params(value: object, field: str) -> str:
    """Return the JSON text of an object, unchanged.

    Raises:
        InvalidInput: It is not one, or one that cannot be stored.
    """
    if not isinstance(value, str):
        raise InvalidInput(field, type(value).__name__, "the JSON text of an object, or an object", code="type")
    return check_args_text(str(value), field)


def check_queue_or_all(value: object, field: str) -> str:
    """Return the name of a queue, or ``*`` for all."""
    return "*" if value == "*" else names.check_any_queue(value, field)


def validated(model: type[M], value: Mapping[str, object], *, lenient: bool = False) -> M:
    """Return ``value`` as ``model``.

    Args:
        model: What the request may say.
        value: What it says.
        lenient: Leave out names that the model does not know instead of refusing them.

    Raises:
        Problem: 422, with every field that is not allowed.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        if lenient and all(each["type"] == "extra_forbidden" for each in found):
            return model.model_validate(_without(value, [each["loc"] for each in found]))
        raise invalid([_field_error(each) for each in found]) from error


_SENTENCES = {
    "missing": ("required", "this field is required"),
    "extra_forbidden": ("unknown", "this field is not known; the documentation lists those that are"),
}
_CODES = {
    "greater_than_equal": "range",
    "less_than_equal": "range",
    "finite_number": "range",
    "too_short": "length",
    "too_long": "length",
    "string_pattern_mismatch": "format",
}


def _field_error(error: ErrorDetails) -> FieldError:
    kind = error["type"]
    code = "type" if kind.endswith("_type") else _CODES.get(kind, kind)
    code, sentence = _SENTENCES.get(kind, (code, error["msg"]))
    path = ".".join(str(name) for name in error["loc"])
    return FieldError(pointer_of(error["loc"]), code, f"{path}: {sentence}" if path else sentence)


def _without(value: Any, paths: Iterable[Sequence[int | str]]) -> Any:
    """Return a copy of ``value`` without the members at ``paths``; each member of it is looked at once."""
    below: dict[int | str, list[Sequence[int | str]]] = {}
    for first, *rest in paths:
        below.setdefault(first, []).append(rest)
    if not below:
        return value
    if isinstance(value, list):
        return [_without(each, below.get(place, ())) for place, each in enumerate(value)]
    gone = {name for name, rests in below.items() if not rests[0]}
    return {name: _without(each, below.get(name, ())) for name, each in value.items() if name not in gone}
