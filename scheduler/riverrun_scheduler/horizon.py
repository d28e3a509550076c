"""Names what keeps VACUUM from removing dead rows, while there is still time to end it.

Each job leaves dead rows; as long as one old transaction can see them, they stay, and every table and index of the
queue grows. Nobody who looks at the queue alone can tell why.
"""

from __future__ import annotations

import logging
import math
import time

from riverrun.store import horizon
from riverrun.store.horizon import Pin
from riverrun.store.leader import Pulse
from riverrun.telemetry import metrics
from riverrun_scheduler.term import Term

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
LOG_SECONDS = 60.0


class Horizon:
    """Watches the oldest transaction that is still visible, during one term."""

    def __init__(self, term: Term) -> None:
        self._term = term
        self._look_at = time.monotonic()
        self._log_at = -math.inf
        self._first_seen: dict[tuple[str, str, str], float] = {}

    async def step(self, pulse: Pulse) -> bool:  # noqa: ARG002 - ages come from the database with the pins
        """Look for what pins, when it is time to."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self.show(await self._term.run(horizon.pins()), now)
        return False

    def show(self, pins: list[Pin], now: float) -> None:
        """Take the ``pins`` of the monotonic moment ``now`` over into metrics and log."""
        self._first_seen = {_key(pin): self._first_seen.get(_key(pin), now) for pin in pins}
        oldest = max(pins, key=lambda pin: self._seconds(pin, now), default=None)
        seconds = 0.0 if oldest is None else self._seconds(oldest, now)
        metrics.oldest_xmin_age.set(seconds)
        if oldest is not None and seconds > horizon.OLD_SECONDS and now >= self._log_at:
            self._log_at = now + LOG_SECONDS
            _log(oldest, seconds)

    def clear(self) -> None:
        """Take what was shown out of the metrics."""
        metrics.oldest_xmin_age.set(0)

    def _seconds(self, pin: Pin, now: float) -> float:
        """Return the age of a pin; where PostgreSQL keeps none, for how long it was seen to stand still."""
        return now - self._first_seen[_key(pin)] if pin.seconds is None else pin.seconds


def _key(pin: Pin) -> tuple[str, str, str]:
    return pin.what, pin.name, pin.xid


def _log(pin: Pin, seconds: float) -> None:
    log.warning(
        "horizon_pinned",
        extra={
            "what": pin.what,
            "pid": pin.pid,
            "owner": pin.owner,
            "application": pin.application,
            "state": pin.state,
            "age_seconds": round(seconds),
            "transactions": pin.transactions,
            "holder": pin.name,
        },
    )
