"""A service that names a health URL is asked how it is, and left alone when it is not well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from riverrun.calls import call_settings
from riverrun.registration import Registration
from riverrun.store.registry import RegisteredHandler
from riverrun_executor.breaker import Breaker
from riverrun_executor.handlers.http import HttpHandlers
from support.attempts import surroundings
from support.http_server import FaultServer, Script

WITHIN = 15.0
AT = datetime(2026, 1, 1, tzinfo=UTC)


class Watched:
    """A registered service, and what asks it how it is."""

    def __init__(self, endpoint: str, *egress: str, **settings: Any) -> None:
        around = surroundings(*egress)
        self._handlers = HttpHandlers(around)
        said = Registration("call", "Call", "http", endpoint, settings=call_settings(settings))
        self._handlers.connect(RegisteredHandler(said, None, 1, AT, AT))
        self.breaker: Breaker = around.breakers.of("call")

    async def asked(self, times: int) -> str:
        """Ask so often, and return how the breaker is then."""
        for _ in range(times):
            await asyncio.wait_for(self._handlers.check(), WITHIN)
        return self.breaker.state

    async def close(self) -> None:
        await self._handlers.close()


@pytest.fixture
async def watched(service: FaultServer) -> AsyncIterator[Watched]:
    watched = Watched(service.url(), health_url=service.url("/health"), headers={"X-Team": "a"})
    yield watched
    await watched.close()


async def test_it_is_asked_with_the_header_fields_of_its_registration(service: FaultServer, watched: Watched) -> None:
    await watched.asked(1)

    (request,) = service.received
    assert (request.method, request.path, request.body) == ("GET", "/health", b"")
    assert request.headers["X-Team"] == "a"


@pytest.mark.parametrize("status", [200, 204, 405])
async def test_one_that_is_well_stays_in_use(service: FaultServer, watched: Watched, status: int) -> None:
    service.script = Script(status=status)

    assert await watched.asked(5) == "closed"


@pytest.mark.parametrize(
    "script",
    [Script(status=503), Script(status=404), Script(status=302, headers={"Location": "/"}), Script(fault="reset")],
    ids=["unavailable", "missing", "redirect", "reset"],
)
async def test_one_that_is_not_well_twice_in_a_row_is_left_alone(
    service: FaultServer, watched: Watched, script: Script
) -> None:
    service.script = script
    once = await watched.asked(1)
    service.script = Script()
    well_again = await watched.asked(1)
    service.script = script
    once_more = await watched.asked(1)

    assert (once, well_again, once_more) == ("closed", "closed", "closed")
    assert await watched.asked(1) == "open"
    assert {request.path for request in service.received} == {"/health"}


async def test_what_is_told_of_it_leaves_out_the_query_of_its_address(
    service: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(service.url(), health_url=service.url("/health?token=sesame"))
    service.script = Script(status=503)

    await watched.asked(2)
    await watched.close()

    (told,) = [vars(record)["error"] for record in caplog.records if record.getMessage() == "breaker_changed"]
    assert told == f"{service.url('/health')} says that it is not well"


async def test_a_health_url_outside_the_configured_networks_is_never_asked(service: FaultServer) -> None:
    watched = Watched("http://10.1.2.3:8080/", "10.0.0.0/8", health_url=service.url("/health"))

    assert await watched.asked(2) == "open"
    assert service.received == []
    await watched.close()


async def test_without_a_health_url_nobody_is_asked(service: FaultServer) -> None:
    watched = Watched(service.url())

    assert await watched.asked(3) == "closed"
    assert service.received == []
    await watched.close()
