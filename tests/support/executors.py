"""Run a real executor inside the test's own event loop, against the test's own database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from riverrun.role import RoleContext
from riverrun.settings.schema import Settings
from riverrun_executor.executor import Executor
from support.contexts import context_for

WORK_SECONDS = 30.0


class RunningExecutor:
    """An executor that works, and the context that steers it."""

    def __init__(self, context: RoleContext, executor: Executor, task: asyncio.Task[None]) -> None:
        self.context = context
        self.executor = executor
        self.task = task

    async def drain(self) -> None:
        """Tell it to drain and wait until it has."""
        self.context.draining.set()
        await asyncio.wait_for(asyncio.shield(self.task), WORK_SECONDS)


@asynccontextmanager
async def running_executor(
    settings: Settings, *, queue: str = "default", slots: int = 10
) -> AsyncIterator[RunningExecutor]:
    """Give an executor of ``queue`` that works until the block ends."""
    context = context_for("executor", settings, queue=queue, slots=slots)
    executor = Executor(context, queue=queue, slots=slots)
    task = asyncio.create_task(executor.run(), name="executor")
    running = RunningExecutor(context, executor, task)
    try:
        yield running
    finally:
        context.hurrying.set()
        await running.drain()
