"""Starts the scheduler process: ``python -m riverrun_scheduler [--config FILE]``."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from riverrun.process import run_role
from riverrun.role import RoleContext
from riverrun_scheduler.leader import Leader


async def main(context: RoleContext) -> None:
    """Take part in the election until the process is told to stop; a stop in mid-term hands over at once."""
    leading = asyncio.create_task(Leader(context).run(), name="leader")
    stopping = asyncio.create_task(context.draining.wait(), name="draining")
    await asyncio.wait({leading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    leading.cancel()
    with suppress(asyncio.CancelledError):
        await leading


if __name__ == "__main__":
    raise SystemExit(run_role("scheduler", main))
