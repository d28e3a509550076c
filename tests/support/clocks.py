"""A monotonic clock that stands still until a test moves it on."""

from __future__ import annotations

import time


class HandClock:
    """Shows the moment of its making, and what it was moved on by since."""

    def __init__(self) -> None:
        self._now = time.monotonic()

    def __call__(self) -> float:
        return self._now

    def forward(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self._now += seconds
