"""Read what a gRPC service answers as the outcome of an attempt; the first rule that fits decides.

1. OK: the result says it; an empty one completes the job.
2. ``google.rpc.RetryInfo`` in the details of any other status retries, no sooner than it says and no sooner than the
   retry policy says.
3. INVALID_ARGUMENT, OUT_OF_RANGE and FAILED_PRECONDITION discard, because the same request can never succeed.
4. Every other status is retried.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Outcome, Snoozed
from riverrun.retry import MAX_DELAY
from riverrun_executor.handlers.http_outcome import MAX_RETRY_AFTER, SNOOZE_WITHOUT_TIME
from riverrun_executor.proto.riverrun.v1.handler_pb2 import Error, RunResult

if TYPE_CHECKING:
    from google.protobuf.message import Message

    M = TypeVar("M", bound=Message)

_HOPELESS = frozenset(
    {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.FAILED_PRECONDITION}
)
_THROTTLED = frozenset({grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE})
_DETAILS_KEY = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a status other than OK means.

    Attributes:
        outcome: How the attempt ended; a retry without a time is left to the policy.
        throttled: For how long the service wants to be left alone; ``None`` when it did not say.
    """

    outcome: Outcome
    throttled: timedelta | None = None


def read_result(result: RunResult) -> Outcome:
    """Return the outcome that a result names."""
    match result.outcome:
        case RunResult.COMPLETE:
            return Completed()
        case RunResult.RETRY:
            delay = _delay(result.delay) if result.HasField("delay") else None
            return Failed(_message(result.error), result.error.trace, retry_in=delay, error_type="retry")
        case RunResult.SNOOZE:
            return Snoozed(_delay(result.delay) if result.HasField("delay") else SNOOZE_WITHOUT_TIME)
        case RunResult.DISCARD:
            return Discarded(_message(result.error), result.error.trace, error_type="discard")
        case RunResult.CANCEL:
            return Cancelled(_message(result.error), result.error.trace, error_type="cancel")
        case unknown:
            return Failed(f"the outcome {unknown} is none of this release", error_type="protocol")


def read_status(error: grpc.aio.AioRpcError, *, policy: timedelta) -> Reading:
    """Return what a status other than OK stands for.

    Args:
        error: The status with its details.
        policy: The delay that the retry policy asks for; ``RetryInfo`` can only lengthen it.
    """
    code = error.code()
    details = _details(error)
    reason = _detail(details, ErrorInfo())
    # An error type labels metrics, so it is never a word that a service chose.
    error_type = code.name.lower()
    message = ": ".join(part for part in (code.name, reason.reason if reason else "", error.details()) if part)
    retry = _detail(details, RetryInfo())
    if retry is not None:
        wait = min(_delay(retry.retry_delay), MAX_RETRY_AFTER)
        failed = Failed(message, retry_in=max(wait, policy), error_type=error_type)
        return Reading(failed, throttled=wait if code in _THROTTLED else None)
    if code in _HOPELESS:
        return Reading(Discarded(message, error_type=error_type))
    return Reading(Failed(message, error_type="timeout" if code is grpc.StatusCode.DEADLINE_EXCEEDED else error_type))


def _details(error: grpc.aio.AioRpcError) -> Status:
    """Return the details that came with a status; what cannot be read counts as none."""
    details = Status()
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                details.ParseFromString(value)
            except DecodeError:
                return Status()
    return details


def _detail(details: Status, wanted: M) -> M | None:
    """Return the first detail of the type of ``wanted``."""
    for detail in details.details:
        try:
            if detail.Unpack(wanted):
                return wanted
        except DecodeError:
            continue
    return None


def _message(error: Error) -> str:
    parts = [part for part in (error.type, error.message) if part]
    return ": ".join(parts) or "the service gives no reason"


def _delay(given: Duration) -> timedelta:
    """Return a time from zero to the longest delay there is; the message itself can hold any number."""
    seconds = max(-1, min(given.seconds, int(MAX_DELAY.total_seconds()) + 1))
    return min(max(timedelta(seconds=seconds, microseconds=given.nanos / 1_000), timedelta()), MAX_DELAY)
