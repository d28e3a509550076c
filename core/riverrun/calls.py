"""How a registered service is called, beside where: retries, headers, TLS, health, and what its answers mean.

What is kept in the database is exactly what may be said at the doors; a secret is never said, only where it is found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from riverrun.errors import Code, InvalidInput
from riverrun.retry import ExponentialBackoff, FixedBackoff, ListedBackoff, RetryPolicy
from riverrun.settings.values import matching

LONGEST_WAIT_SECONDS = 30 * 86_400.0

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE = re.compile(r"[\t -~\x80-\xff]{0,4096}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_TAKEN = re.compile(
    r"(?i)job-.*|webhook-.*|ce-.*|content-.*|accept.*|idempotency-key|host|connection|transfer-encoding|te|trailer"
    r"|upgrade|expect|keep-alive|proxy-.*|trace(parent|state)"
)
_SECRET = re.compile(r"(?i)authorization|cookie|token|secret|password|key")


class Part(BaseModel):
    """A part of what is said: frozen, strict, and a name that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def _absolute(value: str) -> str:
    if not value.startswith("/") or "\0" in value or ".." in PurePath(value).parts:
        raise ValueError("the absolute path of a file on the executors' hosts")
    return value


def _free_name(value: str) -> str:
    if not _TOKEN.fullmatch(value) or _TAKEN.fullmatch(value):
        raise ValueError("the name of a header field that the request does not carry by itself")
    return value


def _no_plain_secret(headers: dict[str, Header]) -> dict[str, Header]:
    for name, value in headers.items():
        if isinstance(value, str) and _SECRET.search(name):
            raise ValueError(name)
    return headers


Seconds = Annotated[float, Field(ge=0, le=LONGEST_WAIT_SECONDS, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(ge=0.001, le=LONGEST_WAIT_SECONDS, allow_inf_nan=False)]
FilePath = Annotated[str, Field(max_length=1024), AfterValidator(_absolute)]


class Exponential(Part):
    """``base_s`` after the first error, doubled after each further one up to ``cap_s``."""

    type: Literal["exponential"]
    base_s: PositiveSeconds = 1.0
    cap_s: PositiveSeconds = 3600.0

    @model_validator(mode="after")
    def _cap_is_not_below_base(self) -> Self:
        if self.cap_s < self.base_s:
            raise ValueError("a cap_s that is not below base_s")
        return self

    @property
    def policy(self) -> RetryPolicy:
        """The same for the rules of retries."""
        return ExponentialBackoff(timedelta(seconds=self.base_s), timedelta(seconds=self.cap_s))


class Fixed(Part):
    """The same delay after every error."""

    type: Literal["fixed"]
    delay_s: Seconds

    @property
    def policy(self) -> RetryPolicy:
        """The same for the rules of retries."""
        return FixedBackoff(timedelta(seconds=self.delay_s))


class Listed(Part):
    """The n-th delay after the n-th error, the last one from then on."""

    type: Literal["list"]
    delays_s: Annotated[list[Seconds], Field(min_length=1, max_length=100)]

    @property
    def policy(self) -> RetryPolicy:
        """The same for the rules of retries."""
        return ListedBackoff([timedelta(seconds=delay) for delay in self.delays_s])


class FromEnvironment(Part):
    """A value that stands in a variable of the executors' environment."""

    env: Annotated[str, matching(_VARIABLE, "the name of an environment variable")]
    prefix: Annotated[str, matching(_VALUE, "text that a header field can carry")] = ""


class FromFile(Part):
    """A value that stands in a file on the executors' hosts; line ends around it do not count."""

    file: FilePath
    prefix: Annotated[str, matching(_VALUE, "text that a header field can carry")] = ""


class Tls(Part):
    """Files on the executors' hosts: whom to trust instead of the system's authorities, and who we are."""

    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None

    @model_validator(mode="after")
    def _a_key_belongs_to_a_certificate(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("a cert_file beside key_file")
        return self


RetrySettings: TypeAlias = Annotated[Exponential | Fixed | Listed, Field(discriminator="type")]
Plain = Annotated[str, matching(_VALUE, "text that a header field can carry")]
Header: TypeAlias = Plain | FromEnvironment | FromFile
HeaderName = Annotated[str, AfterValidator(_free_name)]
Url = Annotated[str, Field(min_length=1, max_length=2048)]


class CallSettings(Part):
    """How a service is called.

    Attributes:
        backoff: How long failed jobs wait; None: River's policy.
        concurrency: Calls at the same time from one executor process; None: as many as it has slots.
        headers: Further header fields; a secret is named by where the executor finds it.
        tls: Certificates.
        health_url: Asked every 15 seconds whether the service is well.
        cancel_url: Told when an attempt was given up.
        body: What the request carries: all about the job, its arguments alone, or those as a CloudEvent.
        idle_timeout: Seconds for which a streamed answer may be silent.
        throttle: Whether 429 uses up an attempt (``retry``) or not (``snooze``).
        client_errors: Whether 400, 413, 415 and 422 end the job (``discard``) or not (``retry``).
    """

    backoff: RetrySettings | None = None
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None
    headers: Annotated[dict[HeaderName, Header], Field(max_length=50), AfterValidator(_no_plain_secret)] = {}
    tls: Tls | None = None
    health_url: Url | None = None
    cancel_url: Url | None = None
    body: Literal["envelope", "args", "cloudevents"] = "envelope"
    idle_timeout: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = 60.0
    throttle: Literal["retry", "snooze"] = "retry"
    client_errors: Literal["discard", "retry"] = "discard"

    def document(self) -> dict[str, Any]:
        """Return everything that was said and is not the default, as it was said."""
        return self.model_dump(exclude_defaults=True)


NO_SETTINGS = CallSettings()
NAMES = frozenset(CallSettings.model_fields)


def call_settings(said: Mapping[str, object]) -> CallSettings:
    """Return what is said about calls; null stands for the default.

    Raises:
        InvalidInput: Something is not allowed; names the first field that is.
    """
    try:
        return CallSettings.model_validate({name: value for name, value in said.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0])
        # A header may hold a secret, so it is not repeated.
        value = "…" if name == "headers" else said.get(name)
        raise InvalidInput(name, value, _ALLOWED.get(name, "no such field"), code=_code(first["type"])) from None


_ALLOWED = {
    "backoff": (
        'null, {"type": "exponential", "base_s": 1, "cap_s": 3600}, {"type": "fixed", "delay_s": 30} or '
        '{"type": "list", "delays_s": [10, 60]}, with seconds from 0 to 2592000'
    ),
    "concurrency": "a whole number from 1 to 10000",
    "headers": (
        'at most 50 fields that the request does not carry by itself, each with text, {"env": "NAME"} or '
        '{"file": "/path"}, and perhaps a "prefix"; text is not for fields whose name speaks of a secret'
    ),
    "tls": "ca_file, cert_file and, only beside it, key_file: absolute paths on the executors' hosts",
    "health_url": "an absolute URL",
    "cancel_url": "an absolute URL",
    "body": "envelope, args or cloudevents",
    "idle_timeout": "a number of seconds from 1 to 86400",
    "throttle": "retry or snooze",
    "client_errors": "discard or retry",
}


def _code(kind: str) -> Code:
    match kind:
        case "extra_forbidden":
            return "unknown"
        case "missing" | "union_tag_not_found":
            return "required"
        case "too_long" | "too_short" | "string_too_long" | "string_too_short":
            return "length"
        case "greater_than_equal" | "less_than_equal" | "finite_number":
            return "range"
        case "value_error" | "literal_error" | "union_tag_invalid":
            return "format"
        case _:
            return "type"
