"""Lets what may take long be left at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


async def unless(leaving: asyncio.Event, work: Coroutine[object, object, object]) -> None:
    """Do ``work``, but leave it when ``leaving`` is set; what it raises is raised."""
    task = asyncio.create_task(work, name="start")
    left = asyncio.create_task(leaving.wait(), name="leaving")
    try:
        await asyncio.wait((task, left), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        task.cancel()
        left.cancel()
        await asyncio.wait((task, left))
