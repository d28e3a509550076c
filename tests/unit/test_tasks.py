"""Tasks end, also those that lose a cancellation."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from riverrun import tasks


async def test_a_task_that_loses_its_first_cancellation_ends() -> None:
    async def forgetful() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = asyncio.create_task(forgetful(), name="forgetful")
    await asyncio.sleep(0)

    async with asyncio.timeout(10):
        await tasks.end([task])

    assert task.cancelled()


async def test_the_error_of_one_task_keeps_no_other_from_its_end() -> None:
    async def failing() -> None:
        raise ValueError("broken")

    failed = asyncio.create_task(failing(), name="failing")
    waiting = asyncio.create_task(asyncio.Event().wait(), name="waiting")
    await asyncio.sleep(0)

    await tasks.end([failed, waiting])

    assert waiting.cancelled()
    assert isinstance(failed.exception(), ValueError)


async def test_work_is_done_and_its_result_returned_unless_it_is_time_to_leave() -> None:
    assert await tasks.unless(asyncio.Event(), asyncio.sleep(0, "done")) == "done"


async def test_work_is_left_at_once_when_it_is_time_to_leave() -> None:
    leaving, ended = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    asyncio.get_running_loop().call_soon(leaving.set)
    async with asyncio.timeout(10):
        await tasks.unless(leaving, endless())

    assert ended.is_set()


async def test_what_work_raises_is_raised() -> None:
    async def failing() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await tasks.unless(asyncio.Event(), failing())
