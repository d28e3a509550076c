"""Deletes what has been kept long enough: a thousand rows at a time, so that nobody waits for it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from riverrun.database.statements import Steps
from riverrun.store import clean
from riverrun.store.clean import Cleaning
from riverrun.store.leader import Pulse
from riverrun_scheduler.batch import Batch
from riverrun_scheduler.river_leader import RiverLeadership
from riverrun_scheduler.term import Term

log = logging.getLogger(__name__)

MOST_ROWS = 1_000
RETRY_SECONDS = 30.0
FOR_EVER = timedelta(days=365_000)


@dataclass(frozen=True, slots=True, eq=False)
class Chore:
    """One kind of row to delete.

    Attributes:
        rows: What is deleted, for the log.
        every: Seconds between two looks.
        of_river: Whether it is left to a client of River that leads.
        clean: Deletes up to a batch.
    """

    rows: str
    every: float
    of_river: bool
    clean: Callable[[int, int], Steps[Cleaning]]


class Cleaner:
    """Cleans during one term, one chore at a time."""

    def __init__(self, term: Term, river: RiverLeadership, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._term = term
        self._river = river
        self._monotonic = monotonic
        self._batch = Batch(MOST_ROWS)
        self._chores = (
            Chore("finalized jobs", 30, True, self._clean_jobs),
            Chore("queues", 3600, True, lambda term, batch: clean.clean_queues(term, batch=batch)),
            Chore("servers", 3600, False, lambda term, batch: clean.clean_servers(term, batch=batch)),
            Chore("idempotency keys", 600, False, lambda term, batch: clean.clean_idempotency_keys(term, batch=batch)),
            Chore("tokens", 3600, False, lambda term, batch: clean.clean_tokens(term, batch=batch)),
            Chore("bulk operations", 3600, False, lambda term, batch: clean.clean_bulk(term, batch=batch)),
            Chore("notices", 3600, False, lambda term, batch: clean.clean_notices(term, batch=batch)),
            Chore("audit", 3600, False, self._clean_audit),
            Chore("schedule ticks", 3600, False, lambda term, batch: clean.clean_ticks(term, batch=batch)),
            Chore("minutes of statistics", 3600, False, lambda term, batch: clean.clean_minutes(term, batch=batch)),
            Chore("hours of statistics", 3600, False, lambda term, batch: clean.clean_hours(term, batch=batch)),
        )
        # Not all at once, and not in the first second, when a new leader has more urgent things to do.
        first = monotonic() + random.uniform(1, 3)  # noqa: S311 - spreads load, guards nothing
        self._due = {chore: first + position for position, chore in enumerate(self._chores)}

    async def step(self, pulse: Pulse) -> bool:  # noqa: ARG002 - the database's clock decides within the statements
        """Do a batch of the first chore that is due."""
        now = self._monotonic()
        for chore in self._chores:
            if self._due[chore] <= now and (self._river.ours or not chore.of_river):
                return await self._do(chore, now)
        return False

    async def _do(self, chore: Chore, now: float) -> bool:
        self._due[chore] = now + RETRY_SECONDS  # should it fail: it would be the first one due for ever
        with self._batch.attempt():
            done = await self._term.run(chore.clean(self._term.generation, self._batch.size))
        if done.deleted:
            log.info("rows_cleaned", extra={"rows": chore.rows, "deleted": done.deleted})
        self._due[chore] = now if done.full else now + chore.every
        return done.full

    def _clean_audit(self, generation: int, batch: int) -> Steps[Cleaning]:
        kept = self._term.settings.admin.audit_kept
        return clean.clean_audit(generation, FOR_EVER if kept is None else kept, batch=batch)

    def _clean_jobs(self, generation: int, batch: int) -> Steps[Cleaning]:
        kept = self._term.settings.river.retention
        spans = {"cancelled": kept.cancelled, "completed": kept.completed, "discarded": kept.discarded}
        return clean.clean_jobs(
            generation, {state: span for state, span in spans.items() if span is not None}, batch=batch
        )
