"""Handlers that yield: what they yield is shown as progress, and where they yield they can be stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from riverrun import handlers
from riverrun.context import Context
from riverrun.outcome import Completed, Failed, Outcome
from riverrun_executor.handlers.local import LocalHandler
from riverrun_executor.outliving import Outliving
from support.attempts import claimed, context_of
from support.eventually import eventually

WITHIN = 5.0


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test begin with no handler registered, and put everything back behind it."""
    monkeypatch.setattr(handlers, "_registered", {})


class Attempt:
    """One attempt by a function."""

    def __init__(self, function: Callable[..., object]) -> None:
        handlers.handler("steps")(function)
        self.context: Context = context_of(job := claimed({"to": 4}, kind="steps"))
        threads = ThreadPoolExecutor(max_workers=1)
        local = LocalHandler(handlers._registered["steps"], threads, Outliving())
        self.task = asyncio.create_task(local.run(job, self.context))
        self.task.add_done_callback(lambda _: threads.shutdown(wait=False))

    async def outcome(self) -> Outcome:
        """Wait for its end."""
        return await asyncio.wait_for(self.task, WITHIN)

    def noted(self) -> dict[str, Any]:
        """Return what it has noted."""
        return dict(json.loads(self.context.all_notes() or "{}"))


def plain(args: dict[str, int], ctx: Context) -> Generator[object, None, str]:
    """Yield in every way that is allowed."""
    yield 0
    yield None
    yield 3 / args["to"], "three of four"
    return "done"


async def asynchronous(args: dict[str, int], ctx: Context) -> AsyncIterator[object]:
    """Do the same on the event loop."""
    for step in (0, None, (3 / args["to"], "three of four")):
        await asyncio.sleep(0)
        yield step
    ctx.output("done")


@pytest.mark.parametrize("function", [plain, asynchronous])
async def test_what_a_handler_yields_is_its_progress(function: Callable[..., object]) -> None:
    attempt = Attempt(function)

    assert await attempt.outcome() == Completed()
    assert attempt.noted() == {"riverrun:progress": {"fraction": 0.75, "note": "three of four"}, "output": "done"}


async def test_what_is_no_progress_fails_the_attempt_and_closes_the_generator() -> None:
    closed = []

    def wrong() -> Generator[object, None, None]:
        try:
            yield "half way"
        finally:
            closed.append(True)

    outcome = await Attempt(wrong).outcome()

    assert isinstance(outcome, Failed)
    assert "yields str; a handler yields a fraction from 0 to 1, that and a note, or nothing" in outcome.error
    assert closed == [True]


async def test_a_plain_function_is_stopped_where_it_yields() -> None:
    closed = []

    def endless() -> Generator[float, None, None]:
        try:
            while True:
                yield 0.5
        finally:
            closed.append(True)

    attempt = Attempt(endless)
    await eventually(attempt.noted, within=WITHIN)

    attempt.context.cancel()
    attempt.task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt.outcome()
    assert closed == [True]


async def test_an_async_generator_is_stopped_where_it_waits() -> None:
    closed = []

    async def waiting() -> AsyncIterator[float]:
        try:
            yield 0.5
            await asyncio.sleep(60)
        finally:
            closed.append(True)

    attempt = Attempt(waiting)
    await eventually(attempt.noted, within=WITHIN)

    attempt.task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt.outcome()
    assert closed == [True]
