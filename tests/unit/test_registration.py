"""Registrations of handlers: which endpoints may be called, and what a handler may be called."""

from __future__ import annotations

import pytest

from riverrun.errors import InvalidInput
from riverrun.registration import registration

ALLOWED = [
    "http://localhost:8080/handle",
    "http://127.0.0.1/",
    "https://10.0.0.7:8443/a?b=c",
    "http://[::1]:8080/",
    "https://handlers.example.com",
    "http://1234.example.com/",
    "http://192.168.1.1:80",
]
REFUSED = [
    "http://169.254.169.254/latest/meta-data",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fe80::1%25eth0]/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://metadata.google.internal./computeMetadata",
    "http://METADATA/",
    "http://0.0.0.0/",
    "http://0/",
    "http://[::]/",
    "http://224.0.0.1/",
    "http://user@example.com/",
    "http://:secret@example.com/",
    "http://example.com/#fragment",
    "http:///path",
    "http://",
    "//example.com/",
    "example.com",
    "file:///etc/passwd",
    "gopher://example.com/",
    "http://example.com:99999/",
    "http://example.com:0/",
    "http://exa mple.com/",
    "http://example.com/\r\nX: y",
    "http://example.com\\@evil.example/",
    "http://[::1/",
    "x" * 3000,
]


@pytest.mark.parametrize("url", ALLOWED)
def test_an_absolute_url_is_taken_as_it_is(url: str) -> None:
    assert registration("custom", "Custom", "http", endpoint_url=url).endpoint_url == url


@pytest.mark.parametrize("url", REFUSED, ids=lambda url: url[:40])
def test_an_endpoint_that_must_not_be_called_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        registration("custom", "Custom", "http", endpoint_url=url)

    assert refused.value.field == "endpoint_url"
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["send_email", "SendEmail", "发送", "send-2", "email:welcome"])
def test_a_local_handler_is_named_by_a_word_or_by_its_kind(name: str) -> None:
    assert registration("email:welcome", name, "local").handler_name == name


@pytest.mark.parametrize(
    "name", ["os.system", "shop.tasks:send", "shop:send", "../tasks", "a b", "send()", "email:other", ""]
)
def test_a_path_into_code_is_no_name(name: str) -> None:
    with pytest.raises(InvalidInput, match="handler_name"):
        registration("email:welcome", name, "local")


@pytest.mark.parametrize("url", ["grpc://localhost:50051", "grpcs://handlers.example.com:443/pkg.Service"])
def test_a_grpc_endpoint_names_its_port(url: str) -> None:
    assert registration("custom", "Custom", "grpc", endpoint_url=url).endpoint_url == url
    with pytest.raises(InvalidInput):
        registration("custom", "Custom", "grpc", endpoint_url="grpc://localhost")
    with pytest.raises(InvalidInput):
        registration("custom", "Custom", "http", endpoint_url=url)
