"""What every answer of a gRPC service means for the job."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, Help, RetryInfo
from google.rpc.status_pb2 import Status
from grpc.aio import AioRpcError, Metadata

from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Outcome, Snoozed
from riverrun.retry import MAX_DELAY
from riverrun_executor.handlers.grpc_outcome import read_result, read_status
from riverrun_executor.proto.riverrun.v1.handler_pb2 import Error, RunResult

POLICY = timedelta(seconds=16)
ERROR = Error(type="TypeError", message="no", trace="line 1")
RETRIED = sorted(
    {*grpc.StatusCode}
    - {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.FAILED_PRECONDITION,
    },
    key=lambda code: code.name,
)


def status(code: grpc.StatusCode, *details: Message, message: str = "no luck", raw: bytes | None = None) -> AioRpcError:
    """Return a status as a call raises it."""
    packed = []
    for detail in details:
        packed.append(AnyMessage())
        packed[-1].Pack(detail)
    data = Status(details=packed).SerializeToString() if raw is None else raw
    trailing = Metadata(("grpc-status-details-bin", data)) if details or raw is not None else Metadata()
    return AioRpcError(code, Metadata(), trailing, message)


def read(error: AioRpcError) -> Outcome:
    return read_status(error, policy=POLICY).outcome


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (RunResult(), Completed()),
        (RunResult(outcome=RunResult.RETRY), Failed("the service gives no reason", error_type="retry")),
        (
            RunResult(outcome=RunResult.RETRY, error=ERROR, delay=Duration(seconds=5, nanos=500_000_000)),
            Failed("TypeError: no", "line 1", retry_in=timedelta(seconds=5.5), error_type="retry"),
        ),
        (
            RunResult(outcome=RunResult.RETRY, error=Error(message="no"), delay=Duration()),
            Failed("no", retry_in=timedelta(), error_type="retry"),
        ),
        (RunResult(outcome=RunResult.SNOOZE, delay=Duration(seconds=60)), Snoozed(timedelta(minutes=1))),
        (RunResult(outcome=RunResult.SNOOZE, delay=Duration(seconds=-60)), Snoozed(timedelta())),
        (RunResult(outcome=RunResult.SNOOZE, delay=Duration(seconds=2**62)), Snoozed(MAX_DELAY)),
        (RunResult(outcome=RunResult.SNOOZE), Snoozed(timedelta(minutes=1))),
        (RunResult(outcome=RunResult.DISCARD, error=ERROR), Discarded("TypeError: no", "line 1", "discard")),
        (RunResult(outcome=RunResult.CANCEL, error=ERROR), Cancelled("TypeError: no", "line 1", "cancel")),
        (RunResult(outcome=99), Failed("the outcome 99 is none of this release", error_type="protocol")),  # type: ignore[arg-type]  # of a later release
    ],
    ids=repr,
)
def test_a_result_says_how_the_attempt_ended(result: RunResult, outcome: Outcome) -> None:
    assert read_result(result) == outcome


@pytest.mark.parametrize("name", ["INVALID_ARGUMENT", "OUT_OF_RANGE", "FAILED_PRECONDITION"])
def test_a_call_that_can_never_succeed_discards_the_job(name: str) -> None:
    assert read(status(grpc.StatusCode[name])) == Discarded(f"{name}: no luck", error_type=name.lower())


@pytest.mark.parametrize("code", RETRIED)
def test_every_other_status_is_left_to_the_retry_policy(code: grpc.StatusCode) -> None:
    error_type = "timeout" if code is grpc.StatusCode.DEADLINE_EXCEEDED else code.name.lower()

    assert read(status(code)) == Failed(f"{code.name}: no luck", error_type=error_type)


@pytest.mark.parametrize("code", [*RETRIED, grpc.StatusCode.INVALID_ARGUMENT])
def test_a_retry_delay_is_honoured_with_every_status(code: grpc.StatusCode) -> None:
    outcome = read(status(code, RetryInfo(retry_delay=Duration(seconds=120))))

    assert isinstance(outcome, Failed)
    assert outcome.retry_in == timedelta(minutes=2)


@pytest.mark.parametrize(("seconds", "waits"), [(1, POLICY), (-5, POLICY), (10**9, timedelta(hours=24))])
def test_a_retry_delay_neither_hurries_the_policy_nor_lasts_for_ever(seconds: int, waits: timedelta) -> None:
    outcome = read(status(grpc.StatusCode.UNAVAILABLE, RetryInfo(retry_delay=Duration(seconds=seconds))))

    assert isinstance(outcome, Failed)
    assert outcome.retry_in == waits


def test_the_reason_of_an_error_stands_in_its_message_and_labels_no_metric() -> None:
    details = (Help(), ErrorInfo(reason="ADDRESS_UNKNOWN", domain="example.org"), RetryInfo())

    assert read(status(grpc.StatusCode.NOT_FOUND, *details)) == Failed(
        "NOT_FOUND: ADDRESS_UNKNOWN: no luck", retry_in=POLICY, error_type="not_found"
    )


@pytest.mark.parametrize("raw", [b"", b"\xff\xff\xff", b"\x1a\x05\x0a\x03abc"])
def test_details_that_cannot_be_read_count_as_none(raw: bytes) -> None:
    assert read(status(grpc.StatusCode.INTERNAL, raw=raw)) == Failed("INTERNAL: no luck", error_type="internal")
