"""Of a kind with a limit only so many jobs run at once; others run beside them, and none waits longer than it must."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from riverrun import AsyncClient
from support import handlers
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.handlers import Crowd

WITHIN = 20.0
LIMIT = 3


@pytest.fixture(autouse=True)
async def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    """Let every test begin with nobody in the crowd and the gate closed."""
    handlers.gate.close()
    crowd = Crowd()
    monkeypatch.setattr(handlers, "crowd", crowd)
    return crowd


async def completed(client: AsyncClient, kind: str) -> int:
    """Return how many jobs of a kind are completed."""
    return len((await client.list(kind=kind, state="completed", limit=1000)).jobs)


async def test_no_more_than_its_limit_run_at_once_and_all_of_them_run(
    client: AsyncClient, database: str, crowd: Crowd
) -> None:
    await client.enqueue_many([{"kind": "crowd", "args": {}} for _ in range(100)])

    # A poll that never comes: what frees room must wake the executor.
    async with running_executor(settings_for(database, poll_interval=timedelta(minutes=5)), slots=20):
        await eventually(lambda: crowd.passed == 100, within=WITHIN)

    assert crowd.largest == LIMIT
    jobs = (await client.list(kind="crowd", limit=1000)).jobs
    assert {(job.attempt, len(job.errors)) for job in jobs} == {(1, 0)}


async def test_other_kinds_pass_a_kind_that_is_full(client: AsyncClient, database: str, crowd: Crowd) -> None:
    await client.enqueue_many([{"kind": "crowd", "args": {"gate": True}, "priority": 1} for _ in range(50)])
    await client.enqueue_many([{"kind": "noop", "args": {}, "priority": 4} for _ in range(50)])

    async with running_executor(settings_for(database), slots=10):
        await eventually(lambda: _all(client, "noop", 50), within=WITHIN)
        assert crowd.inside == LIMIT

        handlers.gate.open()
        await eventually(lambda: _all(client, "crowd", 50), within=WITHIN)

    assert crowd.largest == LIMIT


async def test_jobs_of_a_full_kind_do_not_wait_for_the_next_poll(
    client: AsyncClient, database: str, crowd: Crowd
) -> None:
    await client.enqueue_many([{"kind": "crowd", "args": {"seconds": 0.02}} for _ in range(150)])
    began = time.monotonic()

    async with running_executor(settings_for(database, poll_interval=timedelta(seconds=1)), slots=10):
        await eventually(lambda: crowd.passed == 150, within=WITHIN)

    # 50 rounds of three: one second of work; a poll for each round would take 50.
    assert time.monotonic() - began < 15


async def _all(client: AsyncClient, kind: str, count: int) -> bool:
    return await completed(client, kind) == count
