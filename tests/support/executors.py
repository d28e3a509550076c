"""Run a real executor inside the test's own event loop, against the test's own database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from psycopg.conninfo import conninfo_to_dict

from riverrun.pipe import ChildPipe
from riverrun.process import new_incarnation
from riverrun.role import RoleContext
from riverrun.settings.river import RiverSettings
from riverrun.settings.schema import HandlerSettings, PostgresqlSettings, Settings
from riverrun_executor.executor import Executor

WORK_SECONDS = 30.0


def settings_for(dsn: str, **river: object) -> Settings:
    """Return a configuration that works on ``dsn`` with the handlers of the tests; ``river`` overrides its keys."""
    defaults: dict[str, object] = {
        "poll_interval": timedelta(milliseconds=100),
        "shutdown_wait": timedelta(seconds=2),
        "shutdown_cancel": timedelta(seconds=1),
    }
    parts = conninfo_to_dict(dsn)
    return Settings(
        server_id="test-host",
        postgresql=PostgresqlSettings(
            host=str(parts["host"]),
            port=int(parts["port"] or 5432),
            username=str(parts["user"]),
            database=str(parts["dbname"]),
        ),
        river=RiverSettings.model_validate({**defaults, **river}),
        handlers=HandlerSettings(modules=["support.handlers"]),
    )


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
    context = RoleContext(
        role="executor",
        settings=settings,
        config_path=None,
        queue=queue,
        slots=slots,
        incarnation=new_incarnation(settings.server_id),
        pipe=ChildPipe(None),
    )
    executor = Executor(context, queue=queue, slots=slots)
    task = asyncio.create_task(executor.run(), name="executor")
    running = RunningExecutor(context, executor, task)
    try:
        yield running
    finally:
        context.hurrying.set()
        await running.drain()
