"""Handlers that do as little as possible, so that ``queuectl bench`` measures the queue and not its jobs."""

from __future__ import annotations

import time

from riverrun.handlers import handler

NOTHING, STAMP = "riverrun:bench", "riverrun:bench_stamp"


@handler(NOTHING)
async def nothing() -> None:
    """Do nothing."""


@handler(STAMP)
async def stamp() -> int:
    """Return when the handler's first line ran, in nanoseconds of the monotonic clock that all processes share."""
    return time.monotonic_ns()
