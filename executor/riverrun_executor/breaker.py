"""Leaves a service alone that does not work, so that its jobs wait instead of using up their attempts.

    closed ── 10 failures in a row ──▶ open ── due, one executor of the fleet takes the probe ──▶ half open
      ▲                                  ▲────────────────── the probe failed ──────────────────────┤
      └───────────────────────────────────────────────── the probe succeeded ───────────────────────┘

While a breaker is not closed its kind is left out of claims. Whoever holds the probe lets one job through; what came
with the same claim, and what was claimed before, is given back without an attempt.

A failure that is the endpoint's alone (no connection, a gateway's 502) waits up to a second for its verdict: if the
breaker opens, the attempt is given back; if the service answers somebody else meanwhile, or nobody calls it, the
attempt counts. So a service that goes down under load costs no attempts, and a job that brings it down does.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from riverrun.context import Context
from riverrun.database.statements import Steps
from riverrun.store import handler_health, registry
from riverrun.telemetry import metrics

log = logging.getLogger(__name__)

THRESHOLD = 10
ILL_TIMES = 2
VERDICT_SECONDS = 1.0
UNUSABLE_SECONDS = 30.0
"""For so long an executor leaves jobs to others whose handler's settings it cannot use."""
FLAG_SECONDS = 10.0
"""For so long a flag stays after the last answer that raised it, although others are in order."""
STRANGERS_WAIT_SECONDS = 10.0
"""So much later does an executor ask for the probe that has never had a job of the kind, and may never have one."""


class Fault(Enum):
    """What a failed call says about the service."""

    UNREACHED = "the request never reached it"
    GATEWAY = "it did not get as far as working on the job, most likely"
    ERROR = "it failed, perhaps because of the job"


class Probe(Enum):
    """How far this executor is with trying a service that is left alone."""

    NONE = "it does not try"
    REQUESTED = "it has asked the fleet to be the one that does"
    HELD = "it is the one, and the next job tries"
    UNDER_WAY = "a job tries"


@dataclass(frozen=True, slots=True)
class Change:
    """A change for the database, and what to do once it is there."""

    kind: str
    steps: Callable[[], Steps[bool]]
    done: Callable[[bool], None]


class Breaker:
    """The breaker of one kind.

    Attributes:
        state: As this executor knows it.
    """

    def __init__(self, kind: str, changed: Callable[[], None], write: Callable[[Change], None]) -> None:
        self.state: registry.BreakerState = "closed"
        self._kind = kind
        self._changed = changed
        self._write = write
        self._failures = self._ill = 0
        self._verdict: asyncio.Future[bool] | None = None
        self._used = False
        self._due = 0.0
        self._probe = Probe.NONE
        self._throttled_until = 0.0
        self._flagged, self._flagged_at = "", 0.0

    @property
    def leaves_out(self) -> bool:
        """Whether no job of the kind is to be claimed now."""
        if time.monotonic() < self._throttled_until:
            return True
        return self.state != "closed" and self._probe is not Probe.HELD

    @property
    def is_probing(self) -> bool:
        """Whether the job that was admitted last is the one that tries the service."""
        return self._probe is Probe.UNDER_WAY

    def admit(self) -> bool:
        """Return whether a job may be handed to the service; one that is tried gets a single job."""
        self._used = True
        if time.monotonic() < self._throttled_until:
            return False
        if self.state == "closed":
            return True
        if self._probe is not Probe.HELD:
            return False
        self._probe = Probe.UNDER_WAY
        self._changed()
        return True

    def answered(self, *, well: bool) -> None:
        """Note that the service works, and whether it answered as one that is configured well."""
        self._failures = 0
        if self._verdict is not None:
            self._verdict.set_result(False)
            self._verdict = None
        if self.is_probing:
            self._close()
        if well and self._flagged and time.monotonic() > self._flagged_at + FLAG_SECONDS:
            self._flag("")

    async def failed(self, fault: Fault, reason: str) -> bool:
        """Note that a call failed; return whether its attempt is to be given back."""
        if self.is_probing:
            self._probe_failed(reason)
            return fault is Fault.UNREACHED
        if self.state != "closed":
            return fault is not Fault.ERROR
        self._failures += 1
        if self._failures >= THRESHOLD:
            self.open(reason)
            return fault is not Fault.ERROR
        return fault is not Fault.ERROR and await self._judged()

    def hung(self, reason: str) -> None:
        """Note that a call ran out of time; its attempt counts."""
        if self.is_probing:
            self._probe_failed(reason)
        elif self.state == "closed":
            self._failures += 1
            if self._failures >= THRESHOLD:
                self.open(reason)

    @contextmanager
    def call(self, context: Context) -> Iterator[None]:
        """Learn from a call that is cut off within the block: that the service hangs, or nothing about it."""
        try:
            yield
        except asyncio.CancelledError:
            if context.stopped_by == "timeout":
                self.hung(f"no answer within {context.limit_seconds} s")
            else:
                self.broken_off()
            raise
        except BaseException:
            self.broken_off()
            raise

    def broken_off(self) -> None:
        """Note that a call ended without saying anything about the service."""
        if self.is_probing:
            self._probe = Probe.HELD
            self._changed()

    def health_was(self, *, well: bool, reason: str) -> None:
        """Note how the service says it is; one that was not well `ILL_TIMES` in a row is left alone."""
        self._ill = 0 if well else self._ill + 1
        if self._ill >= ILL_TIMES:
            self.open(reason)

    def open(self, reason: str) -> None:
        """Leave the service alone, here at once and in the fleet as soon as it is written."""
        if self.state != "closed":
            return
        self._enter("open", reason)
        self._due = _soon(handler_health.FIRST_PROBE.total_seconds())
        if self._verdict is not None:
            self._verdict.set_result(True)
            self._verdict = None
        self._tell(lambda: handler_health.open_breaker(self._kind, reason))

    def throttle(self, wait: timedelta) -> None:
        """Leave the service alone for the time it has asked for."""
        until = time.monotonic() + wait.total_seconds()
        if until > self._throttled_until + 1.0:
            self._hold_until(until)
            self._tell(lambda: handler_health.throttle(self._kind, wait))

    def unusable(self, reason: str) -> None:
        """Let this executor rest: on its host something is missing that the handler's settings name."""
        self.flag(reason)
        self.broken_off()
        self._hold_until(time.monotonic() + UNUSABLE_SECONDS)
        self._changed()

    def flag(self, misconfigured: str) -> None:
        """Note an answer that only a mistake in the configuration explains."""
        self._flagged_at = time.monotonic()
        misconfigured = handler_health.kept(misconfigured)  # as the fleet will know it
        if self._flagged != misconfigured:
            log.error("handler_misconfigured", extra={"kind": self._kind, "error": misconfigured})
            self._flag(misconfigured)

    def gone(self, reason: str) -> None:
        """Pause the kind: its service says that it will not come back."""
        log.error("handler_gone", extra={"kind": self._kind, "error": reason})
        metrics.kinds_paused.labels(kind=self._kind).inc()
        self._tell(lambda: registry.pause(self._kind, reason=reason))

    def learn(self, health: registry.HandlerHealth) -> None:
        """Take over what the fleet knows."""
        self._flagged = health.misconfigured
        if (health.throttled_for or 0.0) > 0:
            self._hold_until(time.monotonic() + (health.throttled_for or 0.0))
        if health.breaker == "closed":
            if self.state != "closed":
                self._enter("closed", "")
            return
        if self.state == "closed":
            self._enter("open", health.reason)
        if self.state == "open":
            self._due = _soon(max(health.probe_in or 0.0, 0.0))

    def look(self) -> None:
        """Ask for the probe when it is due."""
        due = self._due if self._used else self._due + STRANGERS_WAIT_SECONDS
        if self.state == "closed" or self._probe is not Probe.NONE or time.monotonic() < due:
            return
        self._probe = Probe.REQUESTED
        self._tell(lambda: handler_health.take_probe(self._kind), self._taken)

    def _taken(self, ours: bool) -> None:
        self._probe = Probe.HELD if ours else Probe.NONE
        if ours:
            self._enter("half_open", "")
        else:
            self._due = _soon(handler_health.FIRST_PROBE.total_seconds())
        self._changed()

    def _close(self) -> None:
        self._enter("closed", "")
        self._tell(lambda: handler_health.close_breaker(self._kind))

    def _probe_failed(self, reason: str) -> None:
        self._enter("open", reason)
        self._due = _soon(handler_health.FIRST_PROBE.total_seconds())  # the fleet knows better when that is written
        self._tell(lambda: handler_health.probe_failed(self._kind, reason))

    def _enter(self, state: registry.BreakerState, reason: str) -> None:
        log.warning("breaker_changed", extra={"kind": self._kind, "breaker": state, "error": reason})
        metrics.handler_breaker_transitions.labels(kind=self._kind, to=state).inc()
        self.state = state
        self._failures = 0
        if self._probe is not Probe.REQUESTED and state != "half_open":
            self._probe = Probe.NONE

    def _flag(self, misconfigured: str) -> None:
        self._flagged = misconfigured
        self._tell(lambda: handler_health.flag(self._kind, misconfigured))

    async def _judged(self) -> bool:
        if self._verdict is None:
            self._verdict = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait({self._verdict}, timeout=VERDICT_SECONDS)
        return bool(done) and next(iter(done)).result()

    def _hold_until(self, until: float) -> None:
        self._throttled_until = until
        asyncio.get_running_loop().call_later(max(0.0, until - time.monotonic()) + 0.01, self._changed)

    def _tell(self, steps: Callable[[], Steps[bool]], done: Callable[[bool], None] = lambda _: None) -> None:
        self._write(Change(self._kind, steps, done))
        self._changed()


def _soon(seconds: float) -> float:
    """Return when ``seconds`` are over, by the monotonic clock, a little later on each executor."""
    return time.monotonic() + seconds * random.uniform(1.0, 1.2)  # noqa: S311 - lets a fleet drift apart
