"""A gRPC service that answers as a test tells it to, or fails in one of the ways in which services fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from grpc_health.v1.health import aio as health_aio
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from riverrun_executor.proto.riverrun.v1.handler_pb2 import RunEvent, RunRequest, RunResult
from riverrun_executor.proto.riverrun.v1.handler_pb2_grpc import JobHandlerServicer, add_JobHandlerServicer_to_server

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Script:
    """How one call is answered.

    Attributes:
        result: The answer of ``Run``.
        events: The answers of ``RunStream``.
        code: A status instead of an answer, or after the events.
        details: Details that come with the status.
        trailing: What else comes after the answer.
        delay: Seconds until the answer begins.
        pace: Seconds between two events.
    """

    result: RunResult = field(default_factory=RunResult)
    events: Sequence[RunEvent] = ()
    code: grpc.StatusCode = grpc.StatusCode.OK
    message: str = "no luck"
    details: Sequence[Message] = ()
    trailing: Sequence[tuple[str, str | bytes]] = ()
    delay: float = 0.0
    pace: float = 0.0


class FaultService(JobHandlerServicer):
    """Answers every call by ``script`` and remembers it.

    Attributes:
        received: The requests in their order.
        metadata: What came beside each.
        remaining: Seconds that each call had left when it came; None without a deadline.
        peers: Who called.
        dropped: How many calls were cancelled before they were answered.
    """

    def __init__(self) -> None:
        self.script = Script()
        self.received: list[RunRequest] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.remaining: list[float | None] = []
        self.peers: list[str] = []
        self.dropped = 0
        self.port = 0

    def url(self, method: str = "", *, host: str = "127.0.0.1", scheme: str = "grpc") -> str:
        """Return the address of the service."""
        return f"{scheme}://{host}:{self.port}{method}"

    async def Run(self, request: RunRequest, context: Context) -> RunResult:  # noqa: N802 - named in the contract
        """Answer one call."""
        await self._begin(request, context)
        await self._end(context)
        return self.script.result

    async def RunStream(self, request: RunRequest, context: Context) -> AsyncIterator[RunEvent]:  # noqa: N802
        """Answer one call, piece by piece."""
        await self._begin(request, context)
        for event in self.script.events:
            yield event
            await self._pause(self.script.pace)
        await self._end(context)

    async def _begin(self, request: RunRequest, context: Context) -> None:
        self.received.append(request)
        self.metadata.append(dict(context.invocation_metadata() or ()))
        self.remaining.append(context.time_remaining())
        self.peers.append(context.peer())
        await self._pause(self.script.delay)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.dropped += 1
            raise

    async def _end(self, context: Context) -> None:
        script = self.script
        trailing = list(script.trailing)
        if script.details:
            packed = []
            for detail in script.details:
                packed.append(AnyMessage())
                packed[-1].Pack(detail)
            status = Status(code=script.code.value[0], message=script.message, details=packed)
            trailing.append(("grpc-status-details-bin", status.SerializeToString()))
        if script.code is not grpc.StatusCode.OK:
            await context.abort(script.code, script.message, tuple(trailing))
        context.set_trailing_metadata(tuple(trailing))


@asynccontextmanager
async def fault_service(
    credentials: grpc.ServerCredentials | None = None,
    *,
    port: int = 0,
    health: Mapping[str, HealthCheckResponse.ServingStatus] | None = None,
) -> AsyncIterator[FaultService]:
    """Give a service on a port of 127.0.0.1, any free one by default, that lives as long as the block.

    With ``health`` it says, for each name, how it is.
    """
    service = FaultService()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_JobHandlerServicer_to_server(service, server)
    if health is not None:
        checked = health_aio.HealthServicer()
        for name, status in {"": HealthCheckResponse.UNKNOWN, **health}.items():
            await checked.set(name, status)
        if "" not in health:
            checked._server_status.pop("")
        add_HealthServicer_to_server(checked, server)
    if credentials is None:
        service.port = server.add_insecure_port(f"127.0.0.1:{port}")
    else:
        service.port = server.add_secure_port(f"127.0.0.1:{port}", credentials)
    await server.start()
    try:
        yield service
    finally:
        await server.stop(0)
