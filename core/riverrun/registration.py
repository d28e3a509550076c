"""What may be said about the handler of a kind: the one place where a registration is checked.

A registration names a handler, it never brings one: ``local`` means a name that the configured modules export, so a
path into Python code is refused, and no code is ever loaded because of a request or a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, urlsplit

from riverrun.args_schema import check_args_schema
from riverrun.calls import NO_SETTINGS, CallSettings, call_settings
from riverrun.egress import ANYWHERE, Egress
from riverrun.errors import InvalidInput
from riverrun.names import MAX_ATTEMPTS, check_kind

TYPES = ("local", "http", "grpc")
SHORTEST_TIMEOUT, LONGEST_TIMEOUT = 0.1, 86_400.0

NOTHING_SAID: Mapping[str, object] = MappingProxyType({})

_GRPC_METHODS = ("", "/", "/Run", "/RunStream")
_SCHEMES = {"http": ("http", "https"), "grpc": ("grpc", "grpcs")}


@dataclass(frozen=True, slots=True)
class Registration:
    """A checked registration.

    Attributes:
        kind: The kind of job it handles; the HTTP API calls it ``task_type``.
        handler_name: ``local``: the exported name; otherwise a name for people.
        handler_type: ``local``, ``http`` or ``grpc``.
        endpoint_url: Where the handler listens; None for ``local``.
        timeout_seconds: Limit of one attempt; None: the handler's own or the configured one.
        retry_count: A job gets one attempt more than this, unless it says otherwise; None: as configured.
        description: For people.
        settings: How it is called; only for services.
        args_schema: JSON Schema of its jobs' arguments; None: nobody has said.
    """

    kind: str
    handler_name: str
    handler_type: str
    endpoint_url: str | None = None
    timeout_seconds: float | None = None
    retry_count: int | None = None
    description: str = ""
    settings: CallSettings = NO_SETTINGS
    args_schema: Mapping[str, Any] | None = None


def registration(  # noqa: PLR0913 - one argument for each thing that is said about a handler
    kind: object,
    handler_name: object,
    handler_type: object,
    *,
    endpoint_url: object = None,
    timeout: object = None,
    retry_count: object = None,
    description: object = "",
    settings: Mapping[str, object] = NOTHING_SAID,
    args_schema: object = None,
    egress: Egress = ANYWHERE,
) -> Registration:
    """Check everything about a handler and return it; field names in errors are those of the HTTP API.

    Args:
        settings: Fields of `CallSettings` by name; null stands for the default.
        args_schema: JSON Schema of the arguments; forms are made of it.
        egress: Where services may live.

    Raises:
        InvalidInput: Something is not allowed; names the field.
    """
    kind = check_kind(kind, "task_type")
    if handler_type not in TYPES or not isinstance(handler_type, str):
        raise InvalidInput("handler_type", handler_type, "local, http or grpc", code="unknown")
    return Registration(
        kind=kind,
        handler_name=_name(handler_name, kind=kind, local=handler_type == "local"),
        handler_type=handler_type,
        endpoint_url=_endpoint(endpoint_url, handler_type, egress),
        timeout_seconds=_timeout(timeout),
        retry_count=_retry_count(retry_count),
        description=_text("description", description, longest=4096),
        settings=_settings(settings, handler_type, egress),
        args_schema=check_args_schema(args_schema, "args_schema"),
    )


def _settings(said: Mapping[str, object], handler_type: str, egress: Egress) -> CallSettings:
    settings = call_settings(said)
    if handler_type == "local":
        for name in settings.document():
            raise InvalidInput(
                name, "…", "nothing: how a local handler runs is said where it is written", code="format"
            )
    for name in ("health_url", "cancel_url"):
        url = getattr(settings, name)
        if url is not None:
            _url(name, url, "http", egress)
    return settings


def _name(value: object, *, kind: str, local: bool) -> str:
    name = _text("handler_name", value, longest=255)
    if not name.strip():
        raise InvalidInput("handler_name", value, "a name of 1 to 255 characters", code="length")
    # A kind such as email:welcome has a colon; any other name with one would read as a path into code.
    if local and name != kind and not all(character.isalnum() or character in "_-" for character in name):
        allowed = "the kind itself or the name of an exported handler: letters, digits, _ and -; never a path to code"
        raise InvalidInput("handler_name", value, allowed, code="format")
    return name


def _timeout(value: object) -> float | None:
    if value is None:
        return None
    allowed = f"a number of seconds from {SHORTEST_TIMEOUT} to {LONGEST_TIMEOUT:.0f}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput("timeout", value, allowed, code="type")
    if not SHORTEST_TIMEOUT <= value <= LONGEST_TIMEOUT:
        raise InvalidInput("timeout", value, allowed)
    return float(value)


def _retry_count(value: object) -> int | None:
    if value is None:
        return None
    allowed = f"a whole number from 0 to {MAX_ATTEMPTS - 1}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput("retry_count", value, allowed, code="type")
    if not 0 <= value < MAX_ATTEMPTS:
        raise InvalidInput("retry_count", value, allowed)
    return value


def _text(field: str, value: object, *, longest: int) -> str:
    allowed = f"text of at most {longest} characters"
    if not isinstance(value, str):
        raise InvalidInput(field, value, allowed, code="type")
    if len(value) > longest:
        raise InvalidInput(field, value, allowed, code="length")
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value):
        raise InvalidInput(field, value, "text without NUL and halves of surrogate pairs", code="format")
    return value


def _endpoint(value: object, handler_type: str, egress: Egress) -> str | None:
    if handler_type == "local":
        if value not in (None, ""):
            raise InvalidInput("endpoint_url", value, "nothing: a local handler has no endpoint", code="format")
        return None
    return _url("endpoint_url", value, handler_type, egress)


def _url(field: str, value: object, handler_type: str, egress: Egress) -> str:
    schemes = _SCHEMES[handler_type]
    allowed = f"an absolute URL such as {schemes[0]}://host:8080{'/handle' if handler_type == 'http' else ''}"
    if value in (None, ""):
        raise InvalidInput(field, value, allowed, code="required")
    url = _text(field, value, longest=2048)
    if not url.isprintable() or " " in url or "\\" in url:
        raise InvalidInput(field, url, allowed, code="format")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(field, url, allowed, code="format") from error
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise InvalidInput(field, url, allowed, code="format")
    if handler_type == "grpc" and (port is None or parts.path not in _GRPC_METHODS or parts.query):
        allowed = "a URL with a port, such as grpc://host:50051, and /RunStream behind it for a service that streams"
        raise InvalidInput(field, url, allowed, code="format")
    _check_host(field, url, parts, egress)
    return url


def _check_host(field: str, url: str, parts: SplitResult, egress: Egress) -> None:
    """Refuse credentials, fragments, and hosts to which no request may go."""
    if "@" in parts.netloc or parts.fragment:
        # The URL is not repeated: it may hold a password.
        raise InvalidInput(field, "…", "a URL without user, password and fragment", code="format")
    host = parts.hostname or ""
    if "%" in host and ":" not in host:
        raise InvalidInput(field, url, "a host name without %-escapes", code="format")
    if not egress.admits_host(host):
        raise InvalidInput(field, url, egress.allowed, code="egress")
