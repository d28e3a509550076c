"""Ends tasks for certain, and lets what may take long be left at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

AGAIN_SECONDS = 0.5

T = TypeVar("T")


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended; what they raise is left in them.

    Once is not enough: the driver drops a cancellation when the statement fails in the same moment.
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


async def unless(leaving: asyncio.Event, work: Coroutine[object, object, T]) -> T | None:
    """Do ``work`` and return what it returns, or raise what it raises; leave it, with None, when ``leaving`` is set."""
    task = asyncio.create_task(work, name="unless leaving")
    left = asyncio.create_task(leaving.wait(), name="leaving")
    try:
        await asyncio.wait((task, left), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        await end((task, left))
