"""The services that an executor calls: how they are connected, which are left alone, and what they say later.

The client of a protocol is loaded for the first service that speaks it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, TypeVar

import psycopg

from riverrun.claimed_job import ClaimedJob
from riverrun.database.statements import Steps
from riverrun.egress import Egress
from riverrun.errors import NotFound
from riverrun.settings.schema import HandlerSettings
from riverrun.store import callbacks
from riverrun.store.callbacks import Seen
from riverrun.store.registry import RegisteredHandler
from riverrun.webhook import Credentials
from riverrun_executor.breakers import Breakers
from riverrun_executor.callbacks import Callbacks
from riverrun_executor.handlers.surroundings import Surroundings
from riverrun_executor.handlers.unusable import Unusable

if TYPE_CHECKING:
    from riverrun_executor.handlers.choose import Transport
    from riverrun_executor.handlers.grpc import GrpcHandlers
    from riverrun_executor.handlers.http import HttpHandlers


HEALTH_SECONDS = 15.0

T = TypeVar("T")
Run = Callable[[Steps[T]], Awaitable[T]]


class Services:
    """The services that one executor calls.

    Args:
        settings: What this host allows.
        changed: Called when other kinds are to be left out of claims, or something is to be written.
    """

    def __init__(self, settings: HandlerSettings, changed: Callable[[], None]) -> None:
        self._breakers = Breakers(changed)
        self._callbacks = Callbacks()
        self._surroundings = Surroundings(
            egress=Egress(settings.egress),
            secrets=settings.secrets,
            breakers=self._breakers,
            callbacks=self._callbacks,
        )
        self._http: HttpHandlers | None = None
        self._grpc: GrpcHandlers | None = None

    def connect(self, registered: RegisteredHandler) -> Transport:
        """Return the transport of an HTTP or gRPC service."""
        if registered.registration.handler_type == "http":
            return self._connect_http(registered)
        return self._connect_grpc(registered)

    def learn(self, registered: Sequence[RegisteredHandler], credentials: Mapping[str, Credentials]) -> None:
        """Take over what the registry says now."""
        self._surroundings.credentials = dict(credentials)
        self._breakers.learn(registered)
        for protocol, name in ((self._http, "http"), (self._grpc, "grpc")):
            if protocol is not None:
                protocol.forget({known.kind for known in registered if known.registration.handler_type == name})

    async def watch(self) -> NoReturn:
        """Ask services how they are, until cancelled."""
        while True:
            await asyncio.sleep(HEALTH_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - lets a fleet drift apart
            for protocol in (self._http, self._grpc):
                if protocol is not None:
                    await protocol.check()

    @property
    def left_out(self) -> list[str]:
        """Kinds whose services are left alone now."""
        return self._breakers.left_out

    async def settle(self, run: Run[bool]) -> None:
        """Write what was learnt about services, and ask whether one that is left alone may be tried."""
        self._breakers.look()
        while (change := self._breakers.next_change) is not None:
            try:
                result = await run(change.steps())
            except (NotFound, psycopg.DataError, psycopg.IntegrityError) as error:
                self._breakers.refused(change, error)
            else:
                self._breakers.written(change, result)

    async def hear(self, run: Run[dict[int, Seen]]) -> list[tuple[ClaimedJob, Seen]]:
        """Return the attempts that have ended because their service said so, as their rows have it."""
        waiting = self._callbacks.jobs
        return self._callbacks.seen(await run(callbacks.seen(waiting))) if waiting else []

    async def close(self) -> None:
        """Close all connections."""
        for protocol in (self._http, self._grpc):
            if protocol is not None:
                await protocol.close()

    def _connect_http(self, registered: RegisteredHandler) -> Transport:
        if self._http is None:
            from riverrun_executor.handlers.http import HttpHandlers  # noqa: PLC0415

            self._http = HttpHandlers(self._surroundings)
        return self._http.connect(registered)

    def _connect_grpc(self, registered: RegisteredHandler) -> Transport:
        if self._grpc is None:
            try:
                from riverrun_executor.handlers.grpc import GrpcHandlers  # noqa: PLC0415
            except ImportError as error:
                return Unusable(f"gRPC handlers need packages that are not installed here ({error}): riverrun[grpc]")
            self._grpc = GrpcHandlers(self._surroundings)
        return self._grpc.connect(registered)
