"""Handlers that do what none should, and the executor that lives on."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import timedelta

import pytest

from riverrun import AsyncClient, JobState
from riverrun_executor import executor as executor_module
from riverrun_executor.handlers.local import LocalHandler
from support import handlers
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor

WITHIN = 10.0


@pytest.fixture
def deaf() -> Iterator[handlers.Deaf]:
    """Give the handler that does not listen; its thread is let go at the end, whatever happened."""
    handlers.deaf.close()
    yield handlers.deaf
    handlers.deaf.open()


async def _is(client: AsyncClient, job_id: int, state: JobState) -> bool:
    return (await client.get(job_id)).state == state


async def test_nothing_that_a_handler_raises_ends_its_executor(client: AsyncClient, database: str) -> None:
    errors = ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "StopIteration", "CancelledError"]
    jobs = [
        (await client.enqueue(kind, {"error": error}, max_attempts=1)).job
        for error in errors
        for kind in ("odd", "odd_in_thread")
    ]

    async with running_executor(settings_for(database), slots=2) as executor:
        for job in jobs:
            await eventually(lambda job_id=job.id: _is(client, job_id, JobState.DISCARDED), within=WITHIN)
        after = (await client.enqueue("noop", {})).job
        await eventually(lambda: _is(client, after.id, JobState.COMPLETED), within=WITHIN)
        assert not executor.executor.running()

    said = {(await client.get(job.id)).errors[0].error for job in jobs}
    assert said == {f"{error}: odd" for error in errors} | {"RuntimeError: coroutine raised StopIteration"}


async def test_an_output_beyond_rivers_limit_is_left_out(client: AsyncClient, database: str) -> None:
    job = (await client.enqueue("huge", {})).job

    async with running_executor(settings_for(database)):
        await eventually(lambda: _is(client, job.id, JobState.COMPLETED), within=WITHIN)

    assert (await client.get(job.id)).metadata["output"] == {"riverrun:omitted": "larger than 33554432 bytes"}


async def test_a_thread_that_does_not_listen_keeps_its_slot_until_it_returns(
    client: AsyncClient, database: str, deaf: handlers.Deaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = functools.partial(LocalHandler, stuck_after=timedelta(seconds=0.1))
    monkeypatch.setattr(executor_module, "LocalHandler", impatient)
    stuck = (await client.enqueue("deaf", {}, max_attempts=1)).job

    async with running_executor(settings_for(database), slots=1) as executor:
        await eventually(lambda: _is(client, stuck.id, JobState.DISCARDED), within=WITHIN)
        assert executor.executor.threads_left_behind
        waiting = (await client.enqueue("noop", {})).job
        with pytest.raises(AssertionError):  # not even after the executor has looked at its settings again
            await eventually(lambda: _attempted(client, waiting.id), within=2.5, every=0.25)

        deaf.open()
        await eventually(lambda: _is(client, waiting.id, JobState.COMPLETED), within=WITHIN)
        assert not executor.executor.threads_left_behind

    job = await client.get(stuck.id)
    assert job.errors[0].error == "the handler did not finish within 0.1 s"


async def _attempted(client: AsyncClient, job_id: int) -> bool:
    return (await client.get(job_id)).attempt > 0
