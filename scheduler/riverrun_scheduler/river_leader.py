"""Stands in River's own election, so that its clients in other languages know who does the maintenance.

River's leader promotes, rescues and cleans, and its rescuer discards jobs of kinds that it does not know: ours. So by
default (``river.leadership: lead``) the leader of our schedulers holds River's leader row as well, and asks a client
that holds it to step down. With ``follow`` River's clients may lead, and while one does, only what is ours is done
here: schedules and the rescue of our executors' jobs. With ``off`` the row is ignored.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from psycopg import Notify

from riverrun.reconnect_wait import ReconnectWait
from riverrun.store import river_leader
from riverrun.store.leader import Pulse
from riverrun_scheduler.term import Term

log = logging.getLogger(__name__)

RENEW_SECONDS = 5.0
STEP_ASIDE_SECONDS = 1.0
FIRST_ASKING, LONGEST_ASKING = timedelta(seconds=5), timedelta(seconds=60)
RACE_SECONDS, LAP_SECONDS = 0.5, 0.025
"""A client that is asked to resign stands for election again with its very next statements: it is asked once a lap."""


class RiverLeadership:
    """River's leader row during one term.

    Attributes:
        ours: Whether maintenance of all jobs is ours now, also of those of River's own clients.
    """

    def __init__(self, term: Term, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.ours = False
        self._term = term
        self._monotonic = monotonic
        self._elected_at: datetime | None = None
        self._renew_at = 0.0
        self._asking = ReconnectWait(FIRST_ASKING, LONGEST_ASKING)
        self._ask_at = 0.0
        self._elect_at = 0.0

    async def step(self, pulse: Pulse) -> bool:
        """Take, hold or leave the row, as the configuration says."""
        match self._term.settings.river.leadership:
            case "lead":
                await self._lead(pulse)
                self.ours = self._elected_at is not None
            case "follow":
                await self.resign()
                self.ours = pulse.river_leader is None or pulse.river_leader.startswith(river_leader.FAMILY)
            case "off":
                await self.resign()
                self.ours = True
        return False

    async def hear(self, notify: Notify) -> None:
        """Step aside when somebody asks the leader to; whoever sends it, it is only a request."""
        try:
            message = json.loads(notify.payload)
        except ValueError:
            return
        asked = isinstance(message, dict) and message.get("action") == "request_resign"
        if asked and notify.channel.endswith(".river_leadership") and self._elected_at is not None:
            await self.resign()
            self._elect_at = self._monotonic() + STEP_ASIDE_SECONDS

    async def resign(self) -> None:
        """Give the row back, if it is held."""
        if self._elected_at is not None:
            elected_at, self._elected_at, self.ours = self._elected_at, None, False
            await self._term.run(river_leader.resign(self._term.leader_id, elected_at))

    async def _lead(self, pulse: Pulse) -> None:
        now = self._monotonic()
        if self._elected_at is not None and now >= self._renew_at:
            if await self._term.run(river_leader.renew(self._term.leader_id, self._elected_at)):
                self._renew_at = now + RENEW_SECONDS
            else:
                self._elected_at = None
        if self._elected_at is None and now >= self._elect_at:
            await self._take(pulse, now)

    async def _take(self, pulse: Pulse, now: float) -> None:
        """Take the row if it is free; otherwise ask its holder to step down, and be there when it does."""
        await self._elect()
        if self._elected_at is None and now >= self._ask_at:
            log.info("river_leader_asked_to_resign", extra={"leader": pulse.river_leader})
            self._ask_at = now + self._asking.next()
            await self._race(now + RACE_SECONDS)

    async def _race(self, until: float) -> None:
        lap = 0.0
        while self._elected_at is None and (now := self._monotonic()) < until:
            if now >= lap:
                lap = now + LAP_SECONDS
                await self._term.run(river_leader.request_resign())
            await self._elect()

    async def _elect(self) -> None:
        self._elected_at = await self._term.run(river_leader.elect(self._term.generation, self._term.leader_id))
        if self._elected_at is not None:
            self._renew_at = self._monotonic() + RENEW_SECONDS
            self._asking.reset()
            log.info("river_leader_held")
