"""Lets queues go on whose pause was to last until now."""

from __future__ import annotations

import logging
import time

from riverrun.store import queues
from riverrun.store.leader import Pulse
from riverrun_scheduler.term import Term

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0


class Resumer:
    """Looks during one term."""

    def __init__(self, term: Term) -> None:
        self._term = term
        self._next = 0.0

    async def step(self, pulse: Pulse) -> bool:  # noqa: ARG002 - the database's clock decides within the statement
        """Let go on what is due."""
        now = time.monotonic()
        if self._next <= now:
            self._next = now + LOOK_SECONDS
            for queue in await self._term.run(queues.resume_due(self._term.generation)):
                log.info("queue_resumed", extra={"queue": queue})
        return False
