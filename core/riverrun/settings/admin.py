"""The keys of ``admin``: where the HTTP API listens, whom it believes, and what it shows."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from riverrun.settings.values import DurationOrNone, Section, Token, WholeNumber, matching


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``; of names only localhost, since others may resolve anywhere."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError("an address or a network such as 10.0.0.0/8") from None


def _pattern(value: str) -> str:
    try:
        matches_nothing = re.compile(value).search("") is not None
    except re.error as error:
        raise ValueError(f"a regular expression; {error}") from None
    if matches_nothing:
        raise ValueError("a regular expression that does not match an empty text")
    return value


Network = Annotated[str, AfterValidator(_network)]
HeaderName = Annotated[
    str, matching(re.compile(r"[A-Za-z0-9-]{1,64}"), "the name of a header field: 1 to 64 letters, digits and -")
]


class SsoSettings(Section):
    """Who comes in because a proxy vouches for them; only requests from admin.proxies are believed."""

    user_header: HeaderName | None = Field(None, description="header with the user's name, such as X-Forwarded-User")
    groups_header: HeaderName | None = Field(None, description="header with the user's groups, commas between them")
    read: list[str] = Field([], description="users and groups that may look; * stands for everybody")
    operate: list[str] = Field([], description="users and groups that may also enqueue, cancel, retry, delete, pause")
    edit: list[str] = Field([], description="users and groups that may also change jobs")
    admin: list[str] = Field([], description="users and groups that may do everything")


class AdminSettings(Section):
    """The HTTP API, the dashboard and /metrics."""

    host: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: WholeNumber = Field(9999, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    require_token: bool = Field(
        False, description="true: a token is needed on a loopback address too; `queuectl token create` makes them"
    )
    tokens: list[Token] = Field(
        [], validate_default=True, description="bearer tokens that may do everything; see require_token for others"
    )
    allowed_hosts: list[str] = Field([], description="names that a request's Host header may carry besides loopback")
    tls_key: Path | None = Field(None, description="private key in PEM form; with tls_cert, https alone is spoken")
    tls_cert: Path | None = Field(
        None, validate_default=True, description="certificate and those between it and its root, in PEM form"
    )
    proxies: list[Network] = Field([], description="proxies whose X-Forwarded-For and sso headers are believed")
    environment: str = Field("", max_length=40, description="what the pages call this fleet, such as production")
    colour: Literal["blue", "green", "amber", "red", "violet", "grey"] = Field(
        "blue", description="colour of the frame and the icon of the pages, to tell fleets apart"
    )
    sso: SsoSettings = SsoSettings()
    session_hours: WholeNumber = Field(12, ge=1, le=720, description="how long a browser stays logged in")
    mask_names: list[Annotated[str, Field(min_length=2, max_length=64)]] = Field(
        ["password", "passwd", "secret", "token", "api_key", "authorization", "cookie", "private_key"],
        description="members of arguments and metadata whose value is hidden: those whose name contains one of these",
    )
    mask_patterns: list[Annotated[str, AfterValidator(_pattern)]] = Field(
        [], description="regular expressions; what they match in arguments, metadata and errors is hidden"
    )
    audit_kept: DurationOrNone = Field(
        timedelta(days=365), ge=timedelta(days=1), description="how long it is kept who changed what; -1: for ever"
    )

    @field_validator("tokens")
    @classmethod
    def _guard_an_open_address(cls, value: list[SecretStr], info: ValidationInfo) -> list[SecretStr]:
        host = info.data.get("host")
        if not value and host is not None and not is_loopback(host) and not info.data.get("require_token"):
            raise ValueError(
                f"at least one token, because other machines can reach {host}; set admin.tokens, or "
                "RIVERRUN_ADMIN__TOKENS_FILE to a file with one token a line, or admin.require_token to true and "
                "make tokens with `queuectl token create`, or set admin.host to 127.0.0.1"
            )
        return value

    @field_validator("tls_cert")
    @classmethod
    def _belongs_to_a_key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if "tls_key" in info.data and (value is None) != (info.data["tls_key"] is None):
            raise ValueError("both admin.tls_cert and admin.tls_key, or neither")
        return value
