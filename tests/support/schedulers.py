"""Schedulers for tests: a term whose services are stepped by hand, and a whole scheduler within the test's own loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta

from riverrun.role import RoleContext
from riverrun.settings.schema import Settings
from riverrun.store import leader
from riverrun.store.leader import Pulse
from riverrun_scheduler.__main__ import main
from riverrun_scheduler.cleaner import Cleaner
from riverrun_scheduler.clock import DatabaseClock
from riverrun_scheduler.river_leader import RiverLeadership
from riverrun_scheduler.schedules import Schedules
from riverrun_scheduler.session import open_session
from riverrun_scheduler.term import Term
from support.clocks import HandClock
from support.contexts import context_for

MORE_THAN_CHORES = 50


@asynccontextmanager
async def term_of(
    settings: Settings, *, clock: DatabaseClock | None = None, monotonic: Callable[[], float] = time.monotonic
) -> AsyncIterator[Term]:
    """Give a term that has just begun."""
    async with open_session(settings) as session:
        election = await session.run(leader.elect(settings.server_id))
        assert election.generation is not None
        context = context_for("scheduler", settings)
        yield Term(session, election.generation, context, clock=clock, monotonic=monotonic)


async def settled(term: Term) -> Pulse:
    """Return a pulse of a term that is old enough to rescue."""
    return replace(await term.pulse(), settled=timedelta(minutes=1))


async def ticked(term: Term, service: Schedules | None = None, *, later: float = 0) -> Schedules:
    """Enqueue what is due now, or as many seconds later, and return the service that did."""
    service = service or Schedules(term)
    pulse = await term.pulse()
    pulse = replace(pulse, now=pulse.now + timedelta(seconds=later))
    while await service.step(pulse):
        pass
    return service


async def cleaned(term: Term, river: RiverLeadership) -> None:
    """Clean everything once, as a leader does within its first hour."""
    clock = HandClock()
    cleaner = Cleaner(term, river, monotonic=clock)
    clock.forward(3600)
    pulse = await term.pulse()
    for _ in range(MORE_THAN_CHORES):
        while await cleaner.step(pulse):
            pass


@asynccontextmanager
async def running_scheduler(settings: Settings) -> AsyncIterator[RoleContext]:
    """Give the context of a scheduler that takes part in the election until the block ends."""
    context = context_for("scheduler", settings)
    task = asyncio.create_task(main(context), name="scheduler")
    try:
        yield context
    finally:
        context.draining.set()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)
