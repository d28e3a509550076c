"""What may be said about the handler of a kind, and what is refused with a reason."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest

from riverrun.errors import InvalidInput
from riverrun.registration import Registration, registration
from support.names import ROOT

HTTP: dict[str, Any] = {"kind": "custom_task", "handler_name": "CustomTaskHandler", "handler_type": "http"}
URL = "http://localhost:8080/handle"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {**HTTP, "endpoint_url": URL, "timeout": 60, "retry_count": 3, "description": "自定义任务处理器"},
            Registration("custom_task", "CustomTaskHandler", "http", URL, 60.0, 3, "自定义任务处理器"),
        ),
        (
            {"kind": "email:welcome", "handler_name": "email:welcome", "handler_type": "local"},
            Registration("email:welcome", "email:welcome", "local"),
        ),
        (
            {"kind": "resize", "handler_name": "r1", "handler_type": "grpc", "endpoint_url": "grpc://10.0.0.7:50051"},
            Registration("resize", "r1", "grpc", "grpc://10.0.0.7:50051"),
        ),
    ],
)
def test_what_is_allowed_is_kept_as_it_was_said(given: dict[str, Any], expected: Registration) -> None:
    assert registration(**given) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "http://[::1]:9000/a?b=c",
        "http://10.0.0.7/",
        "http://处理器.example/x",
        "http://a_b.internal:1/x",
    ],
)
def test_services_on_loopback_and_private_networks_are_welcome(url: str) -> None:
    assert registration(**HTTP, endpoint_url=url).endpoint_url == url


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (None, "required"),
        ("", "required"),
        (7, "type"),
        ("http://" + "a" * 2048, "length"),
        ("localhost:8080", "format"),
        ("/handle", "format"),
        ("ftp://example.org", "format"),
        ("grpc://example.org:1", "format"),
        ("http://", "format"),
        ("http://example.org:0", "format"),
        ("http://example.org:99999", "format"),
        ("http://[::1", "format"),
        ("http://exa mple.org", "format"),
        ("http://example.org\\@localhost", "format"),
        ("http://example.org/\n", "format"),
        ("http://user:secret@example.org", "format"),
        ("http://example.org/#part", "format"),
        ("http://%31%36%39.254.169.254/", "format"),
        ("http://169.254.169.254/latest", "egress"),
        ("http://2852039166/", "egress"),
        ("http://0xA9FEA9FE/", "egress"),
        ("http://１６９.254.169.254/", "egress"),
        ("http://[::ffff:169.254.169.254]:80/", "egress"),
        ("http://[fe80::1%25eth0]/", "egress"),
        ("http://metadata.google.internal./", "egress"),
    ],
)
def test_an_address_that_cannot_or_must_not_be_called_is_refused(url: object, code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        registration(**HTTP, endpoint_url=url)

    assert (refusal.value.field, refusal.value.code) == ("endpoint_url", code)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"kind": "a b"}, "task_type", "format"),
        ({"handler_type": "python"}, "handler_type", "unknown"),
        ({"handler_type": ["http"]}, "handler_type", "unknown"),
        ({"handler_name": ""}, "handler_name", "length"),
        ({"handler_name": "  "}, "handler_name", "length"),
        ({"handler_name": "n" * 256}, "handler_name", "length"),
        ({"handler_name": 7}, "handler_name", "type"),
        ({"handler_name": "nul\0"}, "handler_name", "format"),
        ({"timeout": 0}, "timeout", "range"),
        ({"timeout": -1}, "timeout", "range"),
        ({"timeout": 86_401}, "timeout", "range"),
        ({"timeout": math.nan}, "timeout", "range"),
        ({"timeout": math.inf}, "timeout", "range"),
        ({"timeout": 10**400}, "timeout", "range"),
        ({"timeout": True}, "timeout", "type"),
        ({"timeout": "60"}, "timeout", "type"),
        ({"retry_count": -1}, "retry_count", "range"),
        ({"retry_count": 32_767}, "retry_count", "range"),
        ({"retry_count": 1.5}, "retry_count", "type"),
        ({"retry_count": True}, "retry_count", "type"),
        ({"description": "d" * 4097}, "description", "length"),
        ({"description": None}, "description", "type"),
        ({"description": "\ud800"}, "description", "format"),
    ],
)
def test_every_other_field_is_checked_by_its_name(changes: dict[str, object], field: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        registration(**{**HTTP, "endpoint_url": URL, **changes})

    assert (refusal.value.field, refusal.value.code) == (field, code)


@pytest.mark.parametrize("name", ["os.system", "os:system", "a/b", "a b", "__import__('os')"])
def test_a_local_registration_never_names_a_path_to_code(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        registration("email", name, "local")

    assert refusal.value.field == "handler_name"


def test_a_local_registration_has_no_address() -> None:
    with pytest.raises(InvalidInput) as refusal:
        registration("email", "email", "local", endpoint_url=URL)

    assert refusal.value.field == "endpoint_url"
    assert registration("email", "email", "local", endpoint_url="").endpoint_url is None


def test_a_grpc_registration_names_its_port_and_a_method_of_the_contract_if_any() -> None:
    for url in ("grpc://example.org", "grpc://example.org:1/handle", "grpc://example.org:1?stream=true"):
        with pytest.raises(InvalidInput, match="with a port"):
            registration("email", "email", "grpc", endpoint_url=url)

    for method in ("", "/", "/Run", "/RunStream"):
        assert registration("email", "email", "grpc", endpoint_url=f"grpcs://example.org:1{method}")


def test_every_door_says_where_services_may_be() -> None:
    doors = {"registration", "registry.update"}
    calls = [
        (ast.unparse(node.func), {word.arg for word in node.keywords}, file.name)
        for component in ("admin_api", "cli")
        for file in (ROOT / component).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in doors
    ]

    assert {called for called, _, _ in calls} == doors
    assert [call for call in calls if "egress" not in call[1]] == []
