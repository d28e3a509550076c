"""Run a job by calling a gRPC service, in whatever language it is written; loaded when the first one is registered."""

from __future__ import annotations

import logging
import random
import ssl
import string
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from urllib.parse import quote, urlsplit
from weakref import WeakValueDictionary

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.job import decode_json
from riverrun.outcome import Completed, Failed, Outcome
from riverrun.retry import next_retry_delay
from riverrun.store.registry import RegisteredHandler
from riverrun.telemetry import metrics
from riverrun.transition import snooze_count
from riverrun_executor.handlers.grpc_endpoint import Endpoint, NotReachable
from riverrun_executor.handlers.grpc_outcome import read_result, read_status
from riverrun_executor.handlers.job_facts import trace_context, users_metadata
from riverrun_executor.proto.riverrun.v1.handler_pb2 import LogLine, RunRequest, RunResult

STREAM_PATH = "/RunStream"
MAX_LOG_LINES = 1_000
"""Lines of one attempt that are passed on; of a service that says more the rest is dropped."""

MAX_LOG_CHARACTERS = 4_000

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LARGEST_INT32 = 2**31 - 1
_AS_IT_IS = string.punctuation.replace("%", "") + " "


class GrpcHandlers:
    """Makes the transports of gRPC services and keeps one channel for each service that some transport calls."""

    def __init__(self) -> None:
        self._endpoints: WeakValueDictionary[str, Endpoint] = WeakValueDictionary()

    def connect(self, registered: RegisteredHandler) -> GrpcHandler:
        """Return the transport that calls ``registered``."""
        parts = urlsplit(registered.registration.endpoint_url or "")
        origin = f"{parts.scheme}://{parts.netloc}"
        endpoint = self._endpoints.get(origin)
        if endpoint is None:
            endpoint = Endpoint(origin, _credentials() if parts.scheme == "grpcs" else None)
            self._endpoints[origin] = endpoint
        return GrpcHandler(registered, endpoint, stream=parts.path == STREAM_PATH)

    async def close(self) -> None:
        """Close all connections."""
        for endpoint in list(self._endpoints.values()):
            await endpoint.close()


class GrpcHandler:
    """One gRPC service as a transport.

    Args:
        registered: What was registered.
        endpoint: Where the service is.
        stream: Call ``RunStream`` instead of ``Run``.
    """

    def __init__(self, registered: RegisteredHandler, endpoint: Endpoint, *, stream: bool) -> None:
        self._endpoint = endpoint
        self._call = self._run_stream if stream else self._run
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        seconds = registered.registration.timeout_seconds
        self.timeout = None if seconds is None else timedelta(seconds=seconds)
        self.concurrency: int | None = None

    async def run(self, job: ClaimedJob, context: Context) -> Outcome:
        """Call the service and read its answer as the outcome."""
        started = perf_counter()
        code, outcome = await self._attempt(job, context)
        metrics.handler_requests.labels(kind=job.kind, transport="grpc", code=code).inc()
        metrics.handler_request_duration.labels(kind=job.kind, transport="grpc").observe(perf_counter() - started)
        return outcome

    async def _attempt(self, job: ClaimedJob, context: Context) -> tuple[str, Outcome]:
        """Return the word for how the call went, and the outcome."""
        try:
            return "ok", await self._call(job, context)
        except NotReachable as error:
            return error.error_type, Failed(str(error), error_type=error.error_type)
        except grpc.aio.AioRpcError as error:
            policy = next_retry_delay(job.error_count, self._random)
            return error.code().name.lower(), read_status(error, policy=policy)

    async def _run(self, job: ClaimedJob, context: Context) -> Outcome:
        service = await self._endpoint.service()
        result = await service.run(request(job, context), timeout=context.limit_seconds, metadata=fields(job))
        return _outcome(result, context)

    async def _run_stream(self, job: ClaimedJob, context: Context) -> Outcome:
        service = await self._endpoint.service()
        call = service.run_stream(request(job, context), timeout=context.limit_seconds, metadata=fields(job))
        lines = 0
        try:
            async for event in call:
                match event.WhichOneof("event"):
                    case "result":
                        return _outcome(event.result, context)
                    case "progress":
                        fraction = min(max(0.0, event.progress.fraction), 1.0)  # in this order NaN becomes 0
                        context.progress(fraction, event.progress.note)
                    case "output_json":
                        _record(event.output_json, context)
                    case "log" if lines < MAX_LOG_LINES:
                        lines += 1
                        _log(event.log, context)
        finally:
            call.cancel()  # a service that goes on after its result is not waited for
        return Failed("the stream ended without a result", error_type="incomplete_stream")


def request(job: ClaimedJob, context: Context) -> RunRequest:
    """Return the message about an attempt; the arguments go in as the text the database keeps."""
    metadata = b"{}" if job.metadata_text == "{}" else users_metadata(job).encode()
    return RunRequest(
        job_id=job.id,
        task_type=job.kind,
        queue=job.queue,
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        priority=job.priority,
        snoozes=0 if metadata == b"{}" else max(0, min(snooze_count(job.metadata), _LARGEST_INT32)),
        args_json=job.args_text.encode(),
        metadata_json=metadata,
        tags=job.tags,
        idempotency_key=f"job_{job.id}",
        created_at=_timestamp(job.created_us),
        scheduled_at=_timestamp(job.scheduled_us),
        attempt_token=context.fence,
    )


def fields(job: ClaimedJob) -> tuple[tuple[str, str], ...]:
    """Return the metadata of the call, which proxies and interceptors see; a receiver must not authorize on them."""
    return (
        ("job-id", str(job.id)),
        ("job-kind", quote(job.kind, safe=_AS_IT_IS)),
        ("job-attempt", str(job.attempt)),
        ("idempotency-key", f"job_{job.id}"),
        *trace_context(job).items(),
    )


def _outcome(result: RunResult, context: Context) -> Outcome:
    outcome = read_result(result)
    if result.output_json and isinstance(outcome, Completed):
        _record(result.output_json, context)
    return outcome


def _record(output: bytes, context: Context) -> None:
    """Record a service's output with the job, every digit of its numbers as it was sent."""
    try:
        context.output(decode_json(output))
    except ValueError:
        context.output({"riverrun:omitted": "not JSON"})


def _log(line: LogLine, context: Context) -> None:
    level = _LEVELS.get(line.level.lower(), logging.INFO)
    context.log.log(level, "%s", line.message[:MAX_LOG_CHARACTERS])


def _timestamp(microseconds: int) -> Timestamp:
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1_000)


def _credentials() -> grpc.ChannelCredentials:
    """Return what a TLS connection needs: this system's authorities, not those that gRPC brings along."""
    authorities = ssl.get_default_verify_paths().cafile
    return grpc.ssl_channel_credentials(Path(authorities).read_bytes() if authorities else None)
