"""One call of a gRPC service: what is sent, and what comes of every answer."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo

from riverrun.outcome import Completed, Discarded, Failed, Snoozed
from riverrun_executor.handlers.grpc import STREAM_PATH, GrpcHandlers
from riverrun_executor.handlers.grpc_endpoint import MAX_ANSWER_BYTES
from riverrun_executor.proto.riverrun.v1.handler_pb2 import Error, RunEvent, RunRequest, RunResult
from support.attempts import claimed, context_of
from support.eventually import eventually
from support.grpc_calls import WITHIN, call
from support.grpc_server import FaultService, Script


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
    # gRPC writes a limit of this length on the wire in tenths of a second, rounded up.
    assert 0 < remaining <= 30.2


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
