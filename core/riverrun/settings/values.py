"""What a single setting may hold: one type for each kind of value, each with the words for what it allows.

A validator that refuses a value raises ``ValueError`` with the end of the sentence "… is not allowed; expected"; the
loader adds the path of the key, the value and where it came from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, TypeVar

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr
from pydantic_core import PydanticCustomError

from riverrun import names
from riverrun.cron_grammar import check_zone, parse_expression
from riverrun.database.migration_files import checked_schema
from riverrun.durations import parse_duration, parse_optional_duration
from riverrun.errors import InvalidInput


class Section(BaseModel):
    """A part of the configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


T = TypeVar("T")

OFF = "off"
"""Stands in place of a cron expression for never."""

_TOKEN = re.compile(r"[!-~]{16,512}")
_URL_ALLOWED = "postgres://user:password@host:port/database; write @ : / ? # % inside user or password as %40 %3A …"


def _by(check: Callable[[object, str], T]) -> Callable[[object], T]:
    """Return ``check``, one of the rules that all doors share, as a validator of settings."""

    def validate(value: object) -> T:
        try:
            return check(value, "")
        except InvalidInput as error:
            raise ValueError(error.allowed) from error

    return validate


def matching(pattern: re.Pattern[str], allowed: str) -> AfterValidator:
    """Return a validator of text that ``pattern`` must match whole; ``allowed`` says in words what that is."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(allowed)
        return value

    return AfterValidator(check)


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("truth_value", "true and false are not numbers")
    return value


def _schema_name(value: str) -> str:
    return _by(lambda name, _field: checked_schema(str(name)))(value)


def _token(value: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError("a token of 16 to 512 printable characters without spaces")
    return value


def _database_url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if "\0" in text or not text.startswith(("postgres://", "postgresql://")):
        raise ValueError(_URL_ALLOWED)
    try:
        parts = conninfo_to_dict(text)
    except ProgrammingError:
        # The cause is dropped: libpq quotes the part it stumbled over, and that can be the password.
        raise ValueError(_URL_ALLOWED) from None
    ports = str(parts.get("port") or "").split(",")
    if not all(port == "" or (port.isdecimal() and 1 <= int(port) <= 65535) for port in ports):
        raise ValueError(_URL_ALLOWED)
    return value


def _timezone(value: str) -> str:
    return _by(check_zone)(value).key


def _cron(value: str) -> str:
    _by(parse_expression)(value)
    return value


def _cron_or_off(value: str) -> str:
    try:
        return value if value == OFF else _cron(value)
    except ValueError as error:
        raise ValueError(f"{error}, or {OFF}") from error


def _json_object(value: object) -> object:
    """Refuse what could not be stored as the arguments of a job; the value itself is never repeated."""
    allowed = "a mapping with text keys that can be written as JSON: no NaN, no infinity, no NUL character"
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ValueError(allowed) from None
    if "\\u0000" in text or not _has_text_keys(value):
        raise ValueError(allowed)
    return value


def _has_text_keys(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _has_text_keys(inner) for key, inner in value.items())
    return all(map(_has_text_keys, value)) if isinstance(value, list) else True


WholeNumber = Annotated[int, BeforeValidator(_no_truth_value)]
Duration = Annotated[timedelta, BeforeValidator(_by(parse_duration))]
DurationOrNone = Annotated[timedelta | None, BeforeValidator(_by(parse_optional_duration))]
"""A duration; ``None``, written ``-1``, means no limit."""
ServerId = Annotated[str, AfterValidator(_by(names.check_server_id))]
QueueName = Annotated[str, AfterValidator(_by(names.check_queue))]
Kind = Annotated[str, AfterValidator(_by(names.check_kind))]
Tag = Annotated[str, AfterValidator(_by(names.check_tag))]
ScheduleName = Annotated[str, AfterValidator(_by(names.check_schedule_name))]
SchemaName = Annotated[str, AfterValidator(_schema_name)]
Token = Annotated[SecretStr, AfterValidator(_token)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Cron = Annotated[str, AfterValidator(_cron)]
CronOrOff = Annotated[str, AfterValidator(_cron_or_off)]
JsonObject = Annotated[dict[str, object], BeforeValidator(_json_object)]
