"""Schedulers for tests: a term whose services are stepped by hand, and a whole scheduler within the test's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from riverrun.pipe import ChildPipe
from riverrun.process import new_incarnation
from riverrun.role import RoleContext
from riverrun.settings.schema import Settings
from riverrun.store import leader
from riverrun.store.leader import Pulse
from riverrun_scheduler.__main__ import main
from riverrun_scheduler.session import open_session
from riverrun_scheduler.term import Term


def settings_for(
    dsn: str, *, server_id: str = "test-host", schedules: dict[str, dict[str, object]] | None = None, **river: Any
) -> Settings:
    """Return a configuration that works on ``dsn``; ``river`` has keys of that section."""
    parts = conninfo_to_dict(dsn)
    address = {"host": parts["host"], "port": int(parts["port"] or 5432)}
    return Settings.model_validate(
        {
            "server_id": server_id,
            "postgresql": {**address, "username": parts["user"], "database": parts["dbname"]},
            "river": river,
            "schedules": schedules or {},
        }
    )


def context_for(settings: Settings) -> RoleContext:
    """Return what a scheduler process is given, without a supervisor."""
    return RoleContext(
        role="scheduler",
        settings=settings,
        config_path=None,
        queue=None,
        slots=None,
        incarnation=new_incarnation(settings.server_id),
        pipe=ChildPipe(None),
    )


@asynccontextmanager
async def term_of(settings: Settings) -> AsyncIterator[Term]:
    """Give a term that has just begun."""
    async with open_session(settings) as session:
        election = await session.run(leader.elect(settings.server_id))
        assert election.generation is not None
        yield Term(session, election.generation, context_for(settings))


async def settled(term: Term) -> Pulse:
    """Return a pulse of a term that is old enough to rescue."""
    return replace(await term.pulse(), settled=timedelta(minutes=1))


@asynccontextmanager
async def running_scheduler(settings: Settings) -> AsyncIterator[RoleContext]:
    """Give the context of a scheduler that takes part in the election until the block ends."""
    context = context_for(settings)
    task = asyncio.create_task(main(context), name="scheduler")
    try:
        yield context
    finally:
        context.draining.set()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)
