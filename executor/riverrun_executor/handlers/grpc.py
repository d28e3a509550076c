"""Run a job by calling a gRPC service, in whatever language it is written; loaded when the first one is registered."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Collection, Sequence
from datetime import timedelta
from time import perf_counter
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import grpc

from riverrun.calls import Tls
from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.job import decode_json
from riverrun.outcome import Completed, Failed, Interrupted, Outcome
from riverrun.retry import RIVER_BACKOFF, retry_delay
from riverrun.store.registry import RegisteredHandler
from riverrun.telemetry import metrics
from riverrun_executor.breaker import Fault
from riverrun_executor.handlers.grpc_endpoint import Endpoint, NotReachable
from riverrun_executor.handlers.grpc_outcome import read_result, read_status
from riverrun_executor.handlers.grpc_request import fields, request
from riverrun_executor.handlers.host_files import UnusableSettings, header_values
from riverrun_executor.handlers.service_notes import keep, log_line
from riverrun_executor.handlers.surroundings import Surroundings
from riverrun_executor.proto.riverrun.v1.handler_pb2 import RunResult

STREAM_PATH = "/RunStream"
MAX_LOG_LINES = 1_000
"""Lines of one attempt that are passed on; of a service that says more the rest is dropped."""

OK = "ok"
"""The word of the metrics for a call that was answered, where HTTP has its status."""

NOT_WELL = "grpc.health.v1 says that it does not serve"

_BROKEN = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})
_MISCONFIGURED = frozenset(
    {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED}
)
_KEY = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)")


class GrpcHandlers:
    """Makes the transports of gRPC services and keeps one channel for each service that some transport calls."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._endpoints: WeakValueDictionary[tuple[str, Tls | None], Endpoint] = WeakValueDictionary()
        self._connected: dict[str, GrpcHandler] = {}

    def connect(self, registered: RegisteredHandler) -> GrpcHandler:
        """Return the transport that calls ``registered``."""
        said = registered.registration
        parts = urlsplit(said.endpoint_url or "")
        origin, tls = f"{parts.scheme}://{parts.netloc}", said.settings.tls
        endpoint = self._endpoints.get((origin, tls))
        if endpoint is None:
            endpoint = Endpoint(origin, self._surroundings.egress, tls)
            self._endpoints[origin, tls] = endpoint
        handler = GrpcHandler(registered, endpoint, self._surroundings, stream=parts.path == STREAM_PATH)
        self._connected[said.kind] = handler
        return handler

    def forget(self, kinds: Collection[str]) -> None:
        """Forget the services of all kinds but these."""
        for kind in self._connected.keys() - set(kinds):
            del self._connected[kind]

    async def check(self) -> None:
        """Ask all services whether they are well."""
        await asyncio.gather(*(handler.check() for handler in list(self._connected.values())))

    async def close(self) -> None:
        """Close all connections."""
        for endpoint in list(self._endpoints.values()):
            await endpoint.close()


class GrpcHandler:
    """One gRPC service as a transport.

    Args:
        registered: What was registered.
        endpoint: Where the service is.
        surroundings: What is known of services.
        stream: Call ``RunStream`` instead of ``Run``.
    """

    def __init__(
        self, registered: RegisteredHandler, endpoint: Endpoint, surroundings: Surroundings, *, stream: bool
    ) -> None:
        said = registered.registration
        self._kind = said.kind
        self._settings = said.settings
        self._endpoint = endpoint
        self._secrets = surroundings.secrets
        self._breaker = surroundings.breakers.of(said.kind)
        self._call = self._run_stream if stream else self._run
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self.backoff = RIVER_BACKOFF if said.settings.backoff is None else said.settings.backoff.policy
        self.concurrency = said.settings.concurrency
        self.timeout = None if said.timeout_seconds is None else timedelta(seconds=said.timeout_seconds)

    async def run(self, job: ClaimedJob, context: Context) -> Outcome:
        """Call the service and read its answer as the outcome; one that is left alone gives the job back."""
        if not self._breaker.admit():
            return Interrupted()
        started = perf_counter()
        with self._breaker.call(context):
            if self._breaker.is_probing and not await self._is_well():
                await self._breaker.failed(Fault.UNREACHED, NOT_WELL)
                return Interrupted()
            code, outcome = await self._attempt(job, context)
        metrics.handler_requests.labels(kind=self._kind, transport="grpc", code=code).inc()
        metrics.handler_request_duration.labels(kind=self._kind, transport="grpc").observe(perf_counter() - started)
        return outcome

    async def check(self) -> None:
        """Ask the service how it is."""
        self._breaker.health_was(well=await self._is_well(), reason=NOT_WELL)

    async def _is_well(self) -> bool:
        try:
            return await (await self._endpoint.service()).is_well()
        except (NotReachable, UnusableSettings):
            return True  # what the next call says counts

    async def _attempt(self, job: ClaimedJob, context: Context) -> tuple[str, Outcome]:
        """Return the word for how the call went and the outcome, after the breaker has learnt of it."""
        try:
            outcome = await self._call(job, context)
        except NotReachable as error:
            given_back = await self._breaker.failed(Fault.UNREACHED, str(error))
            failed = Failed(str(error), error_type=error.error_type)
            return error.error_type, Interrupted() if given_back else failed
        except UnusableSettings as error:
            self._breaker.unusable(str(error))
            return error.error_type, Interrupted()
        except grpc.aio.AioRpcError as error:
            return error.code().name.lower(), await self._judge(error, job)
        self._breaker.answered(well=True)
        return OK, outcome

    async def _judge(self, error: grpc.aio.AioRpcError, job: ClaimedJob) -> Outcome:
        """Return the outcome of a status other than OK."""
        code, reason = error.code(), f"{error.code().name}: {error.details()}"
        reading = read_status(error, policy=retry_delay(self.backoff, errors=job.error_count, rng=self._random))
        if reading.throttled is not None:
            self._breaker.answered(well=True)
            self._breaker.throttle(reading.throttled)
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._breaker.hung(reason)
        elif fault := _fault_of(error):
            if await self._breaker.failed(fault, reason):
                return Interrupted()
        elif code in _MISCONFIGURED:
            self._breaker.answered(well=False)
            self._breaker.flag(reason)
        else:
            self._breaker.answered(well=True)
        return reading.outcome

    async def _run(self, job: ClaimedJob, context: Context) -> Outcome:
        service = await self._endpoint.service()
        result = await service.run(request(job, context), timeout=context.limit_seconds, metadata=self._fields(job))
        return _outcome(result, context)

    async def _run_stream(self, job: ClaimedJob, context: Context) -> Outcome:
        service = await self._endpoint.service()
        call = service.run_stream(request(job, context), timeout=context.limit_seconds, metadata=self._fields(job))
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
                        log_line(context, event.log.level, event.log.message)
        finally:
            call.cancel()  # a service that goes on after its result is not waited for
        return Failed("the stream ended without a result", error_type="incomplete_stream")

    def _fields(self, job: ClaimedJob) -> Sequence[tuple[str, str]]:
        """Return the metadata of a call, those of the registration too, with the secrets that they name."""
        if not self._settings.headers:
            return fields(job)
        own = header_values(self._settings.headers, allowed=self._secrets)
        for name in own:
            if not _KEY.fullmatch(name.lower()):
                raise UnusableSettings(f"headers.{name}: no name of gRPC metadata")
        return [*((name.lower(), value) for name, value in own.items()), *fields(job)]


def _outcome(result: RunResult, context: Context) -> Outcome:
    if result.metadata_json and (refused := _keep(result.metadata_json, context)):
        return refused
    outcome = read_result(result)
    if result.output_json and isinstance(outcome, Completed):
        _record(result.output_json, context)
    return outcome


def _keep(metadata: bytes, context: Context) -> Failed | None:
    """Merge what a service says into the job's metadata; what cannot be is the attempt's failure."""
    try:
        return keep(context, metadata=decode_json(metadata))
    except ValueError:
        return Failed("the result cannot be taken: metadata_json is not JSON", error_type="protocol")


def _record(output: bytes, context: Context) -> None:
    """Record a service's output with the job, every digit of its numbers as it was sent."""
    try:
        context.output(decode_json(output))
    except ValueError:
        context.output({"riverrun:omitted": "not JSON"})


def _fault_of(error: grpc.aio.AioRpcError) -> Fault | None:
    """Return what a status says about the service; ``None`` when it says that the service works."""
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        # gRPC has one status for both; only its own words tell that no connection came about.
        return Fault.UNREACHED if "failed to connect" in (error.details() or "") else Fault.GATEWAY
    return Fault.ERROR if error.code() in _BROKEN else None
