"""What calls say about a gRPC service: that it is down, wants a pause, or is set up wrongly."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from grpc_health.v1.health_pb2 import HealthCheckResponse

from riverrun.outcome import Completed, Failed, Interrupted
from riverrun_executor.breaker import THRESHOLD
from riverrun_executor.handlers.grpc import GrpcHandlers
from support.attempts import surroundings
from support.grpc_calls import call
from support.grpc_server import FaultService, Script, fault_service
from support.ports import free_port

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


async def test_an_outage_opens_the_breaker_and_uses_up_no_attempt() -> None:
    around = surroundings()
    services = GrpcHandlers(around)
    url = f"grpc://127.0.0.1:{free_port()}"

    outcomes = await asyncio.gather(*(call(services, url) for _ in range(THRESHOLD)))
    after = await call(services, url)
    await services.close()

    assert set(outcomes) == {Interrupted()}
    assert after == Interrupted()
    assert around.breakers.left_out == ["email"]


async def test_an_error_of_the_service_counts_and_ten_in_a_row_open_the_breaker(service: FaultService) -> None:
    around = surroundings()
    services = GrpcHandlers(around)
    service.script = Script(code=grpc.StatusCode.INTERNAL)

    outcomes = [await call(services, service.url()) for _ in range(THRESHOLD)]
    await services.close()

    assert {type(outcome) for outcome in outcomes} == {Failed}
    assert around.breakers.left_out == ["email"]
    assert len(service.received) == THRESHOLD


@pytest.mark.parametrize("name", ["UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"])
async def test_a_mistake_in_the_configuration_flags_the_handler_and_opens_nothing(
    service: FaultService, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    around = surroundings()
    services = GrpcHandlers(around)
    service.script = Script(code=grpc.StatusCode[name])

    for _ in range(THRESHOLD + 1):
        assert isinstance(await call(services, service.url()), Failed)
    await services.close()

    (record,) = [record for record in caplog.records if record.message == "handler_misconfigured"]
    assert record.__dict__["error"] == f"{name}: no luck"
    assert around.breakers.left_out == []


async def test_a_service_that_asks_for_a_pause_gets_it(service: FaultService) -> None:
    around = surroundings()
    services = GrpcHandlers(around)
    pause = RetryInfo(retry_delay=Duration(seconds=60))
    service.script = Script(code=grpc.StatusCode.RESOURCE_EXHAUSTED, details=[pause])

    first, second = await call(services, service.url()), await call(services, service.url())
    await services.close()

    assert isinstance(first, Failed)
    assert second == Interrupted()
    assert around.breakers.left_out == ["email"]


@pytest.mark.parametrize(
    ("statuses", "shut"),
    [
        ({"riverrun.v1.JobHandler": SERVING}, False),
        ({"riverrun.v1.JobHandler": NOT_SERVING, "": SERVING}, True),
        ({"": SERVING}, False),
        ({"": NOT_SERVING}, True),
        ({}, False),
        (None, False),  # it has no health service; its calls will tell
    ],
)
async def test_a_service_that_says_it_does_not_serve_is_left_alone(statuses: dict[str, Any] | None, shut: bool) -> None:
    around = surroundings()
    services = GrpcHandlers(around)
    async with fault_service(health=statuses) as service:
        assert await call(services, service.url()) == Completed()
        await services.check()
        assert around.breakers.left_out == []  # once is no reason
        await services.check()
    await services.close()

    assert around.breakers.left_out == (["email"] if shut else [])
