"""Find the handler of a kind: a function of this process, or a service that was registered for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.outcome import Outcome
from riverrun.retry import RIVER_BACKOFF, RetryPolicy
from riverrun.store.registry import RegisteredHandler
from riverrun_executor.handlers.unusable import Unusable


class Transport(Protocol):
    """One way to run the jobs of a kind.

    Attributes:
        timeout: Time limit of an attempt; ``None`` takes the configured one.
        concurrency: Attempts that may run in this process at once; ``None``: as many as there are slots.
        backoff: How long its failed jobs wait.
    """

    @property
    def backoff(self) -> RetryPolicy: ...

    @property
    def timeout(self) -> timedelta | None: ...

    @property
    def concurrency(self) -> int | None: ...

    async def run(self, job: ClaimedJob, context: Context) -> Outcome:
        """Run one attempt and return how it ended; cancelled when the attempt is to stop."""


class Connector(Protocol):
    """Makes the transport of a registered service."""

    def __call__(self, registered: RegisteredHandler) -> Transport:
        """Return the transport that calls the service."""


class Handlers:
    """The handlers of one executor, by kind.

    Args:
        local: Functions of the configured modules.
        connect: Makes the transport of a service; called only when one is registered.

    Attributes:
        limits: Kinds of which only so many jobs may run in this process at once.
    """

    def __init__(self, local: Mapping[str, Transport], *, connect: Connector) -> None:
        self._local = local
        self._connect = connect
        self._registered: dict[str, Transport] = {}
        self._made_from: dict[str, RegisteredHandler] = {}
        self.limits = self._limits()

    def find(self, kind: str) -> Transport | None:
        """Return the handler of ``kind``; a registered service wins over a function."""
        return self._registered.get(kind) or self._local.get(kind)

    def backoff(self, kind: str) -> RetryPolicy:
        """Return the retry policy of ``kind``: what its handler chose, else River's."""
        handler = self.find(kind)
        return RIVER_BACKOFF if handler is None else handler.backoff

    def use(self, registered: Sequence[RegisteredHandler]) -> None:
        """Take what is registered now; transports whose registration did not change are kept."""
        transports: dict[str, Transport] = {}
        for entry in registered:
            known = self._registered.get(entry.kind)
            unchanged = self._made_from.get(entry.kind) == entry
            transports[entry.kind] = known if known and unchanged else self._transport(entry)
        self._registered = transports
        self._made_from = {entry.kind: entry for entry in registered}
        self.limits = self._limits()

    def _limits(self) -> Mapping[str, int]:
        limits = {kind: transport.concurrency for kind, transport in {**self._local, **self._registered}.items()}
        return {kind: most for kind, most in limits.items() if most is not None}

    def _transport(self, entry: RegisteredHandler) -> Transport:
        registration = entry.registration
        match registration.handler_type:
            case "http" | "grpc":
                return self._connect(entry)
            case "local":
                name, limit = registration.handler_name, registration.timeout_seconds
                function = self._local.get(name) or self._local.get(entry.kind)
                if function is None:
                    return Unusable(f"the handler {name!r} is registered, but no configured module exports it")
                return function if limit is None else Limited(function, limit)
            case unknown:
                return Unusable(f"{unknown} handlers can be registered, but this release cannot run them yet")


class Limited:
    """A handler with the time limit of its registration in place of its own."""

    def __init__(self, handler: Transport, seconds: float) -> None:
        self._handler = handler
        self.timeout = timedelta(seconds=seconds)
        self.concurrency = handler.concurrency
        self.backoff = handler.backoff

    async def run(self, job: ClaimedJob, context: Context) -> Outcome:
        """Run the handler."""
        return await self._handler.run(job, context)
