"""Starts the scheduler process: ``python -m riverrun_scheduler [--config FILE]``."""

from __future__ import annotations

import asyncio

from riverrun.process import run_role
from riverrun.role import RoleContext
from riverrun.tasks import end
from riverrun_scheduler.leader import Leader

HAND_OVER_SECONDS = 2.0
"""So long a statement may still take and the term be handed over; after that the end of the session says it."""


async def main(context: RoleContext) -> None:
    """Take part in the election until the process is told to stop; a stop in mid-term hands over at once."""
    leading = asyncio.create_task(Leader(context).run(), name="leader")
    stopping = asyncio.create_task(context.draining.wait(), name="draining")
    await asyncio.wait({leading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({leading}, timeout=HAND_OVER_SECONDS)
    await end([leading, stopping])
    if not leading.cancelled():
        leading.result()


if __name__ == "__main__":
    raise SystemExit(run_role("scheduler", main))
