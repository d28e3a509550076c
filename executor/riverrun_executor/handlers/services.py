"""Connect registered services; the client of a protocol is loaded for the first service that speaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riverrun.store.registry import RegisteredHandler
from riverrun_executor.handlers.unusable import Unusable

if TYPE_CHECKING:
    from riverrun_executor.handlers.choose import Transport
    from riverrun_executor.handlers.grpc import GrpcHandlers
    from riverrun_executor.handlers.http import HttpHandlers


class Services:
    """The services that one executor calls."""

    def __init__(self) -> None:
        self._http: HttpHandlers | None = None
        self._grpc: GrpcHandlers | None = None

    def connect(self, registered: RegisteredHandler) -> Transport:
        """Return the transport of an HTTP or gRPC service."""
        if registered.registration.handler_type == "http":
            return self._connect_http(registered)
        return self._connect_grpc(registered)

    async def close(self) -> None:
        """Close all connections."""
        for protocol in (self._http, self._grpc):
            if protocol is not None:
                await protocol.close()

    def _connect_http(self, registered: RegisteredHandler) -> Transport:
        if self._http is None:
            from riverrun_executor.handlers.http import HttpHandlers  # noqa: PLC0415

            self._http = HttpHandlers()
        return self._http.connect(registered)

    def _connect_grpc(self, registered: RegisteredHandler) -> Transport:
        if self._grpc is None:
            try:
                from riverrun_executor.handlers.grpc import GrpcHandlers  # noqa: PLC0415
            except ImportError as error:
                return Unusable(f"gRPC handlers need packages that are not installed here ({error}): riverrun[grpc]")
            self._grpc = GrpcHandlers()
        return self._grpc.connect(registered)
