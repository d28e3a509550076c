"""Says when the indexes of river_job are built anew: at quiet hours, so that they stay as small as what they hold.

Rows come and go, and an index keeps the pages that they once filled. The building is done beside the leader's work, on
a connection of its own.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from riverrun import tasks
from riverrun.cron_grammar import parse_expression
from riverrun.settings.values import OFF
from riverrun.store.leader import Pulse
from riverrun.store.river_leader import FAMILY
from riverrun_scheduler.index_builder import build_anew
from riverrun_scheduler.river_leader import RiverLeadership
from riverrun_scheduler.term import Term

CLOSE_SECONDS = 2.5


class Reindexer:
    """Has the indexes built anew during one term."""

    def __init__(self, term: Term, river: RiverLeadership) -> None:
        self._term = term
        self._river = river
        self._schedule = OFF
        self._due: datetime | None = None
        self._building: asyncio.Task[None] | None = None

    async def step(self, pulse: Pulse) -> bool:
        """Begin to build when the time has come, unless the last time is not over or a client of River does it."""
        river = self._term.settings.river
        if river.reindex.schedule != self._schedule:
            self._schedule = river.reindex.schedule
            self._due = self._after(pulse.now)
        if self._due is None or pulse.now < self._due:
            return False
        self._due = self._after(pulse.now)
        if self._is_ours(pulse) and (self._building is None or self._building.done()):
            work = build_anew(self._term.settings, within=river.reindex.time_limit)
            self._building = asyncio.create_task(work, name="reindex")
        return False

    async def close(self) -> None:
        """Stop building; what is half built is dropped, if that is quickly done."""
        if self._building is not None:
            self._building.cancel()
            await asyncio.wait([self._building], timeout=CLOSE_SECONDS)
            await tasks.end([self._building])

    def _after(self, moment: datetime) -> datetime | None:
        if self._schedule == OFF:
            return None
        return parse_expression(self._schedule, "river.reindex.schedule").next_after(moment)

    def _is_ours(self, pulse: Pulse) -> bool:
        """Whether no client of River does it: two that build on one table can end in a deadlock."""
        return self._river.ours and (pulse.river_leader is None or pulse.river_leader.startswith(FAMILY))
