"""How long to wait before trying again, so that a fleet that lost its database does not come back as one wave."""

from __future__ import annotations

import random
from datetime import timedelta


class ReconnectWait:
    """Waits that double from ``first`` to ``cap``, each drawn from zero to the whole ("full jitter").

    Source of the formula: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(self, first: timedelta, cap: timedelta) -> None:
        self._first = first.total_seconds()
        self._cap = cap.total_seconds()
        self._failures = 0

    def next(self) -> float:
        """Return the seconds to wait after one more failure, to the millisecond, as logs show them."""
        ceiling = min(self._cap, self._first * 2 ** min(self._failures, 32))
        self._failures += 1
        return round(random.uniform(0, ceiling), 3)  # noqa: S311 - spreads load, guards nothing

    def reset(self) -> None:
        """Start again from ``first``: what was tried has worked."""
        self._failures = 0
