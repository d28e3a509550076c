"""Waits end with their event or with their time, and leave no task behind."""

from __future__ import annotations

import asyncio

from riverrun.waiting import first_of, happened


async def test_a_wait_says_whether_its_event_has_happened() -> None:
    late, soon = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_soon(soon.set)

    assert await happened(soon, within=10.0)
    assert not await happened(late, within=0.01)


async def test_the_first_of_several_events_ends_a_wait_and_all_its_tasks() -> None:
    never, soon = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_soon(soon.set)

    async with asyncio.timeout(10):
        await first_of(never, soon)
        await first_of(never, within=0.01)

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_wait_that_is_cancelled_leaves_no_task_behind() -> None:
    waiting = asyncio.create_task(first_of(asyncio.Event(), asyncio.Event()), name="waiting")
    await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.wait([waiting], timeout=10)

    assert waiting.cancelled()
    assert asyncio.all_tasks() == {asyncio.current_task()}
