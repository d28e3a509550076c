"""The keys of ``notifications``: whom to tell what, and how."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from riverrun.settings.values import Duration, Section, WholeNumber, matching

Name = Annotated[
    str,
    matching(
        re.compile(r"(?=.{1,64}\Z)[a-z0-9]+([_-][a-z0-9]+)*"),
        "lower-case letters and digits, in groups joined by single '_' or '-', 64 characters at most",
    ),
]
Mail = Annotated[str, matching(re.compile(r"[^\s@<>,]+@[^\s@<>,]+"), "an e-mail address such as ops@example.com")]


def _address(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("http://", "https://", "smtp://", "smtps://")):
        raise ValueError("an address that begins with https://, http://, smtp:// or smtps://")
    return value


class ChannelSettings(Section):
    """One way to tell somebody."""

    type: Literal["webhook", "email", "dingtalk", "wecom", "feishu"] = Field(description="who is spoken to")
    url: Annotated[SecretStr, AfterValidator(_address)] = Field(
        description="where to send to; for email smtp://user:password@host:port, with STARTTLS where offered, or smtps://"
    )
    secret: SecretStr | None = Field(None, description="signs what is sent: webhook, dingtalk, feishu")
    sender: str = Field("riverrun@localhost", description="from whom e-mail comes")
    to: list[Mail] = Field([], validate_default=True, description="who gets e-mail")

    @field_validator("url")
    @classmethod
    def _fits_type(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        is_mail = value.get_secret_value().startswith("smtp")
        if is_mail is not (info.data.get("type") == "email"):
            raise ValueError("smtp:// or smtps:// for email, and https:// or http:// for everything else")
        return value

    @field_validator("to")
    @classmethod
    def _is_needed_for_email(cls, value: list[str], info: ValidationInfo) -> list[str]:
        if info.data.get("type") == "email" and not value:
            raise ValueError("at least one address, because this is e-mail")
        return value


class RuleSettings(Section):
    """When to tell whom."""

    event: Literal["discarded", "late_schedule", "unserved_queue", "handler_paused"] = Field(
        description="what happened"
    )
    channels: list[Name] = Field(min_length=1, description="names of notifications.channels")
    only: list[Annotated[str, Field(min_length=1, max_length=127)]] = Field(
        [], description="queues, kinds or schedules that count, in which * stands for any characters; none: all"
    )
    least: WholeNumber = Field(
        1, ge=1, le=1_000_000, description="discarded jobs of one queue and kind within five minutes, at least"
    )
    late: Duration = Field(
        timedelta(minutes=1), ge=timedelta(seconds=1), description="for how long a schedule is late or a queue unserved"
    )
    quiet: Duration = Field(
        timedelta(minutes=15), ge=timedelta(seconds=1), description="not again about the same thing for so long"
    )


class NotificationSettings(Section):
    """Tells people what the fleet cannot mend by itself; sent once, by the host that leads."""

    channels: dict[Name, ChannelSettings] = Field({}, description="ways to tell somebody")
    rules: dict[Name, RuleSettings] = Field({}, description="when to tell whom")

    @field_validator("rules")
    @classmethod
    def _name_channels_that_exist(cls, value: dict[str, RuleSettings], info: ValidationInfo) -> dict[str, RuleSettings]:
        known = info.data.get("channels", {})
        for name, rule in value.items():
            for channel in rule.channels:
                if channel not in known:
                    raise ValueError(f"channels of notifications.channels; {name} names {channel}")
        return value
