"""Waits for events, and never for longer than it is told."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from riverrun.tasks import end


async def happened(event: asyncio.Event, *, within: float) -> bool:
    """Wait for ``event``, at most ``within`` seconds, and return whether it is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await event.wait()
    return event.is_set()


async def first_of(*events: asyncio.Event, within: float | None = None) -> None:
    """Wait until one of ``events`` is set, at most ``within`` seconds; without a limit as long as it takes."""
    waits = [asyncio.create_task(event.wait(), name="wait for the first event") for event in events]
    try:
        await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(waits)
