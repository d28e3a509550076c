"""Which addresses of a name an HTTP service is called at, and which never."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from aiohttp.abc import ResolveResult

from riverrun.outcome import Completed, Failed
from riverrun_executor.handlers.http import HttpHandlers
from support.http_calls import post
from support.http_server import FaultServer, Script


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]", "[fe80::1%25lo]", "metadata"]
)
async def test_a_forbidden_address_in_the_url_is_not_called(services: HttpHandlers, host: str) -> None:
    outcome = await post(services, f"http://{host}/handle")

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "connect"
    assert "is not allowed; expected a host that is not link-local" in outcome.error


class Names:
    """Stands for the name service: what a name means is up to whoever owns it, and may change at any time."""

    def __init__(self) -> None:
        self.addresses: tuple[str, ...] = ()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
        """Return the addresses, as the resolver of the system does."""
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        """Keep nothing open."""


@pytest.fixture
def name_means(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let every name mean the given addresses."""
    names = Names()
    monkeypatch.setattr("riverrun_executor.handlers.http_connection.ThreadedResolver", lambda: names)

    def means(*addresses: str) -> None:
        names.addresses = addresses

    return means


async def test_of_a_names_addresses_only_the_allowed_are_called(
    service: FaultServer, services: HttpHandlers, name_means: Any
) -> None:
    name_means("169.254.169.254", "127.0.0.1")

    assert await post(services, service.url(host="handlers.example")) == Completed()
    assert service.received[0].headers["Host"] == f"handlers.example:{service.port}"


@pytest.mark.parametrize(
    "addresses", [("169.254.169.254",), ("0.0.0.0", "100.100.100.200"), ("::ffff:169.254.169.254", "fe80::1")]
)
async def test_a_name_that_means_a_forbidden_address_is_not_called(
    service: FaultServer, services: HttpHandlers, name_means: Any, addresses: tuple[str, ...]
) -> None:
    name_means(*addresses)

    outcome = await post(services, service.url(host="handlers.example"))

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "dns"
    assert "handlers.example resolves only to addresses that are not allowed" in outcome.error
    assert service.received == []


async def test_a_name_that_comes_to_mean_a_forbidden_address_is_called_no_more(
    service: FaultServer, services: HttpHandlers, name_means: Any
) -> None:
    url = service.url(host="handlers.example")
    service.script = Script(headers={"Connection": "close"})
    name_means("127.0.0.1")
    allowed = await post(services, url)
    name_means("169.254.169.254")

    outcome = await post(services, url)

    assert allowed == Completed()
    assert isinstance(outcome, Failed)
    assert "handlers.example resolves only to addresses that are not allowed" in outcome.error
    assert len(service.received) == 1


async def test_a_name_that_nobody_knows_is_told_as_such(services: HttpHandlers, name_means: Any) -> None:
    name_means()

    outcome = await post(services, "http://handlers.example/handle")

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "dns"
