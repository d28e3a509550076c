"""The room of an executor: counted exactly, and waited for without spinning."""

from __future__ import annotations

import asyncio

from riverrun_executor.slots import MAX_UNWRITTEN, Slots


async def test_free_slots_are_capacity_less_what_runs() -> None:
    slots = Slots(3)
    slots.take()

    assert slots.free == 2


async def test_a_smaller_capacity_lets_running_jobs_finish() -> None:
    slots = Slots(3)
    for _ in range(3):
        slots.take()

    slots.resize(1)

    assert slots.free == 0


async def test_nothing_is_claimed_while_too_many_endings_wait_to_be_written() -> None:
    slots = Slots(3)
    slots.unwritten_are(MAX_UNWRITTEN)
    waiting = asyncio.create_task(slots.wait_free())
    await asyncio.sleep(0)
    assert not waiting.done()

    slots.unwritten_are(MAX_UNWRITTEN - 1)

    assert await waiting == 3


async def test_a_slot_that_comes_free_is_handed_out() -> None:
    slots = Slots(1)
    slots.take()
    waiting = asyncio.create_task(slots.wait_free())
    await asyncio.sleep(0)

    slots.give_back()

    assert await waiting == 1


async def test_one_claim_serves_slots_that_come_free_together() -> None:
    slots = Slots(8)
    for _ in range(8):
        slots.take()
    waiting = asyncio.create_task(slots.wait_free())
    await asyncio.sleep(0)

    slots.give_back()
    await asyncio.sleep(0)
    slots.give_back()
    slots.give_back()

    assert await waiting == 3


async def test_closed_slots_let_nobody_wait() -> None:
    slots = Slots(1)
    slots.take()
    waiting = asyncio.create_task(slots.wait_free())
    await asyncio.sleep(0)

    slots.close()

    assert await waiting == 0
