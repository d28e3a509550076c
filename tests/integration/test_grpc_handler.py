"""One attempt by a gRPC service: what is sent, what comes of every fault, and what is never done."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from grpc_health.v1.health_pb2 import HealthCheckResponse

from riverrun.calls import call_settings
from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.outcome import Completed, Discarded, Failed, Interrupted, Outcome, Snoozed
from riverrun.registration import Registration
from riverrun.store.registry import RegisteredHandler
from riverrun_executor.breaker import THRESHOLD
from riverrun_executor.handlers import grpc_endpoint
from riverrun_executor.handlers.grpc import MAX_LOG_LINES, STREAM_PATH, GrpcHandlers
from riverrun_executor.handlers.grpc_endpoint import MAX_ANSWER_BYTES
from riverrun_executor.proto.riverrun.v1.handler_pb2 import Error, LogLine, Progress, RunEvent, RunRequest, RunResult
from support.attempts import claimed, context_of, surroundings
from support.certificates import Authority, Certificate
from support.eventually import eventually
from support.grpc_server import FaultService, Script, fault_service
from support.ports import free_port

WITHIN = 10.0
SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


@pytest.fixture
async def service() -> AsyncIterator[FaultService]:
    """Give a service that answers as it is told."""
    async with fault_service() as service:
        yield service


@pytest.fixture
async def services() -> AsyncIterator[GrpcHandlers]:
    """Give what makes transports."""
    services = GrpcHandlers(surroundings())
    yield services
    await services.close()


async def call(
    services: GrpcHandlers, url: str, job: ClaimedJob | None = None, context: Context | None = None, **settings: Any
) -> Outcome:
    """Run one attempt of ``job`` by the service at ``url``."""
    registration = Registration("email", "EmailHandler", "grpc", url, settings=call_settings(settings))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    handler = services.connect(RegisteredHandler(registration, None, 1, at, at))
    job = job or claimed()
    return await asyncio.wait_for(handler.run(job, context or context_of(job)), WITHIN)


async def noted(services: GrpcHandlers, service: FaultService, *events: RunEvent) -> tuple[Outcome, dict[str, Any]]:
    """Run one attempt whose service streams ``events``; return its outcome and what was noted with the job."""
    service.script = Script(events=events)
    job = claimed()
    context = context_of(job)
    outcome = await call(services, service.url(STREAM_PATH), job, context)
    return outcome, json.loads(context.all_notes() or "{}")


async def test_the_request_says_everything_about_the_attempt(service: FaultService, services: GrpcHandlers) -> None:
    args = '{"big": 123456789012345678901234567890, "f": 1.10, "text": "é\\u0007"}'
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    metadata = {"tenant": 12345678901234567890123, "river:log": 1, "riverrun:progress": 2, "snoozes": 3}
    job = claimed(args, kind="email:é", metadata={**metadata, "traceparent": trace, "tracestate": "a=1\n"})
    context = context_of(job)
    context.limit_seconds = 30

    assert await call(services, service.url(), job, context) == Completed()

    (request,) = service.received
    assert request.args_json == args.encode()
    assert request.metadata_json.startswith(b'{"tenant":12345678901234567890123,"snoozes":3,"traceparent"')
    for request_field in (request.args_json, request.metadata_json):
        json.loads(request_field)
    request.ClearField("args_json")
    request.ClearField("metadata_json")
    created = datetime(2026, 1, 2, 3, 4, 4, 999_995, UTC)
    assert request == RunRequest(
        job_id=7, task_type="email:é", queue="default", attempt=2, max_attempts=25, priority=1, snoozes=3,
        tags=["tag-a"], idempotency_key="job_7", attempt_token="7:2:1767323045000000",
        created_at=created, scheduled_at=datetime(2026, 1, 2, 3, 4, 3, tzinfo=UTC),
    )  # fmt: skip
    (beside,) = service.metadata
    assert str(beside.pop("user-agent")).startswith("riverrun/")
    assert beside == {
        "job-id": "7", "job-kind": "email:%C3%A9", "job-attempt": "2", "idempotency-key": "job_7", "traceparent": trace,
    }  # fmt: skip
    (remaining,) = service.remaining
    assert remaining is not None
    assert 0 < remaining <= 30


async def test_without_a_time_limit_a_call_has_no_deadline(service: FaultService, services: GrpcHandlers) -> None:
    await call(services, service.url())

    assert service.remaining == [None]


async def test_calls_share_one_connection(service: FaultService, services: GrpcHandlers) -> None:
    await asyncio.gather(*[call(services, service.url()) for _ in range(20)])

    assert len(service.received) == 20
    assert len(set(service.peers)) == 1


async def test_an_output_keeps_every_digit(service: FaultService, services: GrpcHandlers) -> None:
    service.script = Script(result=RunResult(output_json=b'{"big": 98765432109876543210, "text": "\\u0000"}'))
    context = context_of(claimed())

    assert await call(services, service.url(), context=context) == Completed()
    assert context.all_notes() == '{"output":{"big":98765432109876543210,"text":"\ufffd"}}'


async def test_an_output_that_is_not_json_does_not_undo_the_job(service: FaultService, services: GrpcHandlers) -> None:
    service.script = Script(result=RunResult(output_json=b"\xff{"))
    context = context_of(claimed())

    assert await call(services, service.url(), context=context) == Completed()
    assert context.all_notes() == '{"output":{"riverrun:omitted":"not JSON"}}'


@pytest.mark.parametrize("method", ["", STREAM_PATH])
async def test_a_result_leaves_metadata_with_its_job(
    service: FaultService, services: GrpcHandlers, method: str
) -> None:
    result = RunResult(outcome=RunResult.SNOOZE, metadata_json=b'{"shelf": 98765432109876543210}')
    service.script = Script(result=result, events=[RunEvent(result=result)])
    context = context_of(claimed())

    assert isinstance(await call(services, service.url(method), context=context), Snoozed)
    assert context.all_notes() == '{"shelf":98765432109876543210}'


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (b'{"shelf": "B", "river:log": []}', "metadata.river:log: "),
        (b"[]", "metadata: "),
        (b"\xff{", "metadata_json is not JSON"),
        (b"[" * 100_000, "metadata"),
    ],
)
async def test_metadata_that_are_not_allowed_change_nothing_and_are_retried(
    service: FaultService, services: GrpcHandlers, metadata: bytes, said: str
) -> None:
    service.script = Script(result=RunResult(output_json=b"1", metadata_json=metadata))
    context = context_of(claimed())

    outcome = await call(services, service.url(), context=context)

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "protocol"
    assert outcome.error.startswith(f"the result cannot be taken: {said}")
    assert context.all_notes() is None


async def test_a_status_with_details_decides(service: FaultService, services: GrpcHandlers) -> None:
    retry = RetryInfo(retry_delay=Duration(seconds=3600))
    service.script = Script(code=grpc.StatusCode.ABORTED, details=[retry])

    assert await call(services, service.url()) == Failed(
        "ABORTED: no luck", retry_in=timedelta(hours=1), error_type="aborted"
    )

    service.script = Script(code=grpc.StatusCode.INVALID_ARGUMENT, message="é\x00")
    outcome = await call(services, service.url())
    assert isinstance(outcome, Discarded)
    assert outcome.error.startswith("INVALID_ARGUMENT: é")


async def test_a_service_that_cancels_is_called_again(service: FaultService, services: GrpcHandlers) -> None:
    service.script = Script(code=grpc.StatusCode.CANCELLED)

    for method in ("", STREAM_PATH):
        assert await call(services, service.url(method)) == Failed("CANCELLED: no luck", error_type="cancelled")


async def test_a_stream_brings_progress_output_and_a_result(
    service: FaultService, services: GrpcHandlers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    outcome, notes = await noted(
        services,
        service,
        RunEvent(log=LogLine(level="warning", message="slow %s")),
        RunEvent(progress=Progress(fraction=0.5, note="half way")),
        RunEvent(output_json=b'{"pages": 5}'),
        RunEvent(),  # of a later release
        RunEvent(result=RunResult(outcome=RunResult.SNOOZE, delay=Duration(seconds=7))),
    )

    assert outcome == Snoozed(timedelta(seconds=7))
    assert notes.pop("river:log")[0]["log"].endswith("WARNING slow %s\n")
    assert notes == {"riverrun:progress": {"fraction": 0.5, "note": "half way"}, "output": {"pages": 5}}
    (line,) = [record for record in caplog.records if record.name == "riverrun.job"]
    assert (line.getMessage(), line.levelno, line.__dict__["job_id"]) == ("slow %s", logging.WARNING, 7)


@pytest.mark.parametrize(("fraction", "shown"), [(-1.0, 0.0), (7.0, 1.0), (float("nan"), 0.0)])
async def test_a_progress_out_of_range_is_brought_into_it(
    service: FaultService, services: GrpcHandlers, fraction: float, shown: float
) -> None:
    outcome, notes = await noted(
        services, service, RunEvent(progress=Progress(fraction=fraction)), RunEvent(result=RunResult())
    )

    assert outcome == Completed()
    assert notes["riverrun:progress"]["fraction"] == shown


async def test_a_stream_without_a_result_is_retried(service: FaultService, services: GrpcHandlers) -> None:
    outcome, notes = await noted(services, service, RunEvent(progress=Progress(fraction=0.5)))

    assert outcome == Failed("the stream ended without a result", error_type="incomplete_stream")
    assert notes["riverrun:progress"]["fraction"] == 0.5


async def test_a_stream_that_breaks_is_retried_by_its_status(service: FaultService, services: GrpcHandlers) -> None:
    service.script = Script(events=[RunEvent(progress=Progress(fraction=0.5))], code=grpc.StatusCode.UNAVAILABLE)

    assert await call(services, service.url(STREAM_PATH)) == Failed("UNAVAILABLE: no luck", error_type="unavailable")


async def test_a_service_that_goes_on_after_its_result_is_not_waited_for(
    service: FaultService, services: GrpcHandlers
) -> None:
    service.script = Script(events=[RunEvent(result=RunResult())], pace=60)

    assert await call(services, service.url(STREAM_PATH)) == Completed()
    await eventually(lambda: service.dropped == 1, within=WITHIN)


async def test_a_service_that_never_stops_logging_is_not_listened_to(
    service: FaultService, services: GrpcHandlers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lines = [RunEvent(log=LogLine(message="x" * 10_000))] * (MAX_LOG_LINES + 50)

    outcome, _ = await noted(services, service, *lines, RunEvent(result=RunResult()))

    assert outcome == Completed()
    passed_on = [record.getMessage() for record in caplog.records if record.name == "riverrun.job"]
    assert len(passed_on) == MAX_LOG_LINES
    assert max(len(line) for line in passed_on) < 10_000


@pytest.mark.parametrize("method", ["", STREAM_PATH])
async def test_a_call_that_is_given_up_is_cancelled_at_the_service(
    service: FaultService, services: GrpcHandlers, method: str
) -> None:
    service.script = Script(delay=60)
    attempt = asyncio.create_task(call(services, service.url(method)))
    await eventually(lambda: service.received, within=WITHIN)

    attempt.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt
    await eventually(lambda: service.dropped == 1, within=WITHIN)


@pytest.mark.parametrize("method", ["", STREAM_PATH])
async def test_a_service_that_hangs_runs_out_of_time(
    service: FaultService, services: GrpcHandlers, method: str
) -> None:
    service.script = Script(delay=60)
    context = context_of(claimed())
    context.limit_seconds = 0.2

    outcome = await call(services, service.url(method), context=context)

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "timeout"
    await eventually(lambda: service.dropped == 1, within=WITHIN)


@pytest.mark.parametrize("method", ["", STREAM_PATH])
async def test_an_answer_that_is_too_large_is_never_held(
    service: FaultService, services: GrpcHandlers, method: str
) -> None:
    result = RunResult(error=Error(message="x" * MAX_ANSWER_BYTES))
    service.script = Script(result=result, events=[RunEvent(result=result)])

    outcome = await call(services, service.url(method))

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "resource_exhausted"
    assert (
        f"larger than max ({MAX_ANSWER_BYTES + 10} vs. {MAX_ANSWER_BYTES})" in outcome.error
        or "larger" in outcome.error
    )


@asynccontextmanager
async def peer(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncIterator[int]:
    """Give the port of a peer that does ``talk`` with every connection."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the beginning of the conversation and break it off."""
    await reader.read(10)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def speak_http_1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a server of another protocol."""
    await reader.read(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("talk", [reset, speak_http_1])
async def test_a_peer_that_speaks_no_grpc_is_tried_again(services: GrpcHandlers, talk: Any) -> None:
    async with peer(talk) as port:
        outcome = await call(services, f"grpc://127.0.0.1:{port}")

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "unavailable"


async def test_a_port_that_nobody_listens_on_is_tried_again(services: GrpcHandlers) -> None:
    outcome = await call(services, f"grpc://127.0.0.1:{free_port()}")

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "unavailable"
    assert "Connection refused" in outcome.error


async def test_a_service_that_comes_back_is_reached_soon(services: GrpcHandlers) -> None:
    async with fault_service() as first:
        assert await call(services, first.url()) == Completed()
    assert isinstance(await call(services, first.url()), Failed)

    async with fault_service(port=first.port) as second:

        async def works() -> bool:
            return await call(services, second.url()) == Completed()

        await eventually(works, within=WITHIN, every=0.2)


async def test_a_name_that_does_not_resolve_is_tried_again(services: GrpcHandlers) -> None:
    outcome = await call(services, "grpc://no-such-host.invalid:50051")

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "dns"


class Names:
    """Stands for the name servers of the world.

    Attributes:
        addresses: What every name resolves to now.
    """

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        """Answer as the event loop does."""
        self.asked.append(host)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses]


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Give a world in which every name means 127.0.0.1, and an answer holds for no time at all."""
    names = Names("127.0.0.1")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names.resolve)
    monkeypatch.setattr(grpc_endpoint, "RESOLVE_SECONDS", 0.0)
    return names


async def test_a_service_is_called_by_its_name_at_the_address_that_was_allowed(
    service: FaultService, services: GrpcHandlers, names: Names
) -> None:
    names.addresses = ("169.254.169.254", "127.0.0.1")

    assert await call(services, service.url(host="payments.internal")) == Completed()
    assert names.asked == ["payments.internal"]


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0"])
async def test_a_name_that_comes_to_mean_what_is_forbidden_is_called_no_more(
    service: FaultService, services: GrpcHandlers, names: Names, address: str
) -> None:
    assert await call(services, service.url(host="payments.internal")) == Completed()

    names.addresses = (address,)
    outcome = await call(services, service.url(host="payments.internal"))

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "connect"
    assert "payments.internal resolves only to addresses that are not allowed" in outcome.error
    assert len(service.received) == 1


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[::ffff:169.254.169.254]", "2852039166", "metadata.google.internal"]
)
async def test_what_is_forbidden_is_never_called(services: GrpcHandlers, names: Names, host: str) -> None:
    outcome = await call(services, f"grpc://{host}:50051")

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "connect"
    assert names.asked == []


async def test_a_service_that_moves_is_followed_and_calls_on_their_way_end_where_they_began(
    service: FaultService, services: GrpcHandlers, names: Names
) -> None:
    service.script = Script(delay=0.5)
    url = service.url(host="payments.internal")
    before = asyncio.create_task(call(services, url))
    await eventually(lambda: service.received, within=WITHIN)

    names.addresses = ("127.0.0.2",)
    moved = await call(services, url)

    assert isinstance(moved, Failed)
    assert "127.0.0.2" in moved.error
    assert await before == Completed()


async def test_a_service_outlives_its_name_server(service: FaultService, services: GrpcHandlers, names: Names) -> None:
    assert await call(services, service.url(host="payments.internal")) == Completed()

    names.addresses = ()

    assert await call(services, service.url(host="payments.internal")) == Completed()


async def test_addresses_of_both_families_are_tried(
    service: FaultService, services: GrpcHandlers, names: Names
) -> None:
    names.addresses = ("::1", "127.0.0.1")  # nobody listens on the first

    assert await call(services, service.url(host="localhost")) == Completed()


@asynccontextmanager
async def secure_service(certificate: Certificate, *, clients: bytes | None = None) -> AsyncIterator[FaultService]:
    """Give a service that shows ``certificate``, and asks for one of the authority ``clients``."""
    credentials = grpc.ssl_server_credentials(
        [(certificate.key, certificate.certificate)], clients, require_client_auth=clients is not None
    )
    async with fault_service(credentials) as service:
        yield service


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Give an authority that this system trusts."""
    authority = Authority()
    file = tmp_path / "authorities.pem"
    file.write_bytes(authority.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return authority


async def test_a_service_is_called_over_tls(services: GrpcHandlers, names: Names, trusted: Authority) -> None:
    async with secure_service(trusted.vouch("payments.internal")) as service:
        assert await call(services, service.url(host="payments.internal", scheme="grpcs")) == Completed()


@pytest.mark.parametrize("fault", ["expired", "another name", "another authority", "no tls"])
async def test_a_service_that_cannot_prove_who_it_is_gets_no_job(
    services: GrpcHandlers, names: Names, trusted: Authority, fault: str
) -> None:
    authority = Authority() if fault == "another authority" else trusted
    name = "payments.example.org" if fault == "another name" else "payments.internal"
    certificate = authority.vouch(name, expired=fault == "expired")

    async with fault_service() if fault == "no tls" else secure_service(certificate) as service:
        outcome = await call(services, service.url(host="payments.internal", scheme="grpcs"))

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "unavailable"
    assert service.received == []


async def test_a_service_may_ask_who_calls(
    services: GrpcHandlers, names: Names, trusted: Authority, tmp_path: Path
) -> None:
    ours = Authority()
    mine = ours.vouch("riverrun")
    files = {"ca_file": trusted.certificate, "cert_file": mine.certificate, "key_file": mine.key}
    for name, contents in files.items():
        (tmp_path / name).write_bytes(contents)
    tls = {name: str(tmp_path / name) for name in files}

    async with secure_service(trusted.vouch("payments.internal"), clients=ours.certificate) as service:
        url = service.url(host="payments.internal", scheme="grpcs")
        nobody = await call(services, url)
        assert await call(services, url, tls=tls) == Completed()

    assert isinstance(nobody, Failed)
    assert len(service.received) == 1


async def test_metadata_of_the_registration_come_along_with_their_secrets(
    service: FaultService, services: GrpcHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDLER_TOKEN", "secret")
    headers = {"Authorization": {"env": "HANDLER_TOKEN", "prefix": "Bearer "}, "X-Tenant": "a"}

    assert await call(services, service.url(), headers=headers) == Completed()

    assert service.metadata[0]["authorization"] == "Bearer secret"
    assert service.metadata[0]["x-tenant"] == "a"


@pytest.mark.parametrize(
    "settings",
    [
        {"headers": {"Authorization": {"env": "HANDLER_MISSING"}}},
        {"headers": {"grpc-timeout": "1S"}},
        {"headers": {"x-data-bin": "a"}},
        {"tls": {"ca_file": "/no/such/file"}},
    ],
)
async def test_settings_that_this_host_cannot_use_give_the_job_back(
    service: FaultService, services: GrpcHandlers, settings: dict[str, Any]
) -> None:
    assert await call(services, service.url(scheme="grpcs"), **settings) == Interrupted()
    assert service.received == []


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
