"""What may be said about how a service is called, and that a refusal names the field and never repeats a secret."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from riverrun.calls import NAMES, NO_SETTINGS, CallSettings, FromEnvironment, FromFile, Tls, call_settings
from riverrun.errors import InvalidInput
from riverrun.retry import ExponentialBackoff, FixedBackoff, ListedBackoff

SAID: dict[str, Any] = {
    "backoff": {"type": "fixed", "delay_s": 30},
    "concurrency": 4,
    "headers": {"X-Team": "a", "Authorization": {"env": "HANDLER_TOKEN", "prefix": "Bearer "}, "X-Key": {"file": "/k"}},
    "tls": {"ca_file": "/ca", "cert_file": "/cert", "key_file": "/key"},
    "health_url": "http://a/health",
    "cancel_url": "http://a/cancel",
    "body": "cloudevents",
    "idle_timeout": 5.0,
    "throttle": "snooze",
    "client_errors": "retry",
}


def test_everything_that_may_be_said_is_kept_as_it_was_said() -> None:
    settings = call_settings(SAID)

    assert SAID.keys() == NAMES
    assert settings.document() == SAID | {"headers": {**SAID["headers"], "X-Key": {"file": "/k"}}}
    assert call_settings(settings.document()) == settings
    assert settings.headers["Authorization"] == FromEnvironment(env="HANDLER_TOKEN", prefix="Bearer ")
    assert settings.headers["X-Key"] == FromFile(file="/k")


def test_null_and_silence_mean_the_default() -> None:
    assert call_settings(dict.fromkeys(NAMES)) == call_settings({}) == NO_SETTINGS == CallSettings()
    assert NO_SETTINGS.document() == {}


def test_settings_can_be_told_apart_and_used_as_a_key() -> None:
    assert {Tls(ca_file="/a"): 1}[Tls(ca_file="/a")] == 1
    assert Tls(ca_file="/a") != Tls(ca_file="/b")


@pytest.mark.parametrize(
    ("said", "policy"),
    [
        ({"type": "exponential", "base_s": 2, "cap_s": 60}, ExponentialBackoff),
        ({"type": "fixed", "delay_s": 0}, FixedBackoff),
        ({"type": "list", "delays_s": [1, 2.5]}, ListedBackoff),
    ],
)
def test_a_backoff_is_a_policy(said: dict[str, Any], policy: type) -> None:
    backoff = call_settings({"backoff": said}).backoff

    assert backoff is not None
    assert isinstance(backoff.policy, policy)


def test_a_policy_takes_the_numbers_that_were_said() -> None:
    backoff = call_settings({"backoff": {"type": "fixed", "delay_s": 1.5}}).backoff

    assert backoff is not None
    assert backoff.policy == FixedBackoff(timedelta(seconds=1.5))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("backoff", {"type": "linear"}),
        ("backoff", {"type": "fixed"}),
        ("backoff", {"type": "fixed", "delay_s": -1}),
        ("backoff", {"type": "fixed", "delay_s": float("nan")}),
        ("backoff", {"type": "fixed", "delay_s": 2_592_001}),
        ("backoff", {"type": "exponential", "base_s": 0}),
        ("backoff", {"type": "list", "delays_s": []}),
        ("backoff", 30),
        ("concurrency", 0),
        ("concurrency", 10_001),
        ("concurrency", True),
        ("concurrency", "4"),
        ("headers", {"Job-Id": "1"}),
        ("headers", {"webhook-id": "1"}),
        ("headers", {"Host": "a"}),
        ("headers", {"a b": "1"}),
        ("headers", {"X-A": "a\r\nX-B: b"}),
        ("headers", {"X-A": "ключ"}),
        ("headers", {"X-A": {"env": "a b"}}),
        ("headers", {"X-A": {"file": "relative"}}),
        ("headers", {"X-A": {"file": "/run/../etc/shadow"}}),
        ("headers", {"X-A": {"env": "A", "file": "/a"}}),
        ("headers", {f"X-{number}": "" for number in range(51)}),
        ("tls", {"ca_file": "ca.pem"}),
        ("tls", {"key_file": "/key"}),
        ("tls", {"ca_file": "/ca\0"}),
        ("tls", {"password": "p"}),
        ("health_url", ""),
        ("cancel_url", "x" * 2049),
        ("body", "xml"),
        ("idle_timeout", 0.5),
        ("idle_timeout", float("inf")),
        ("throttle", "drop"),
        ("client_errors", "ignore"),
        ("verify", False),
    ],
    ids=lambda case: str(case)[:40],
)
def test_what_is_not_allowed_is_refused_by_its_name(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        call_settings({"body": "args", field: value})

    assert refused.value.field == field
    assert refused.value.allowed


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "Cookie", "X-Secret", "X-Auth-Token", "Db-Password"])
def test_a_secret_is_never_taken_as_text_nor_repeated(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        call_settings({"headers": {name: "hunter2"}})

    assert refused.value.field == "headers"
    assert "hunter2" not in str(refused.value)
