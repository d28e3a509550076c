"""Claim: keep the slots filled with the best jobs of one queue."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection

from riverrun.claimed_job import ClaimedJob
from riverrun.database.connect import connect, first_line
from riverrun.database.deadline import deadline
from riverrun.database.statements import Statements, Steps
from riverrun.errors import DatabaseUnavailable
from riverrun.reconnect_wait import ReconnectWait
from riverrun.store import attempts
from riverrun.telemetry import metrics
from riverrun.waiting import happened
from riverrun_executor.floors import NOWHERE, Floors
from riverrun_executor.pace import Pace
from riverrun_executor.slots import Slots

log = logging.getLogger(__name__)

LOOK_EVERYWHERE_SECONDS = 1.0
CHEAP_SECONDS = 0.005
"""A look below the floors that took less may be repeated before every rest."""
SHARE_OF_TIME = 0.1
"""At most so much of the time goes into looking below the floors, however many dead rows there are."""

# A lost claim only makes its jobs available again, so its commit need not reach the disk first.
CLAIM_SESSION = {**attempts.PLANS, "enable_bitmapscan": "off", "synchronous_commit": "off", "statement_timeout": "3s"}


Claim = Callable[..., Steps[list[ClaimedJob]]]


class Claimer:
    """Claims jobs of one queue whenever there is room, and hands each to ``start``.

    Args:
        dsn: The database.
        statements: SQL of the schema.
        queue: The queue.
        incarnation: This executor, as it stands in ``attempted_by``.
        slots: Room for jobs.
        poll_interval: How often to look when nobody wakes us.
        start: Takes a claimed job; called without waiting.
        claim: What to ask: `attempts.claim`, or its like for other jobs.
        rooms: How many more jobs may be started of each kind of which only so many may run at once.
        may_claim: Waits, on each new connection, until jobs may be claimed or the event is set.

    Attributes:
        kinds_left_out: Kinds not to claim now.
    """

    def __init__(  # noqa: PLR0913 - the parts it joins
        self,
        *,
        dsn: str,
        statements: Statements,
        queue: str,
        incarnation: str,
        slots: Slots,
        poll_interval: timedelta,
        start: Callable[[ClaimedJob], None],
        may_claim: Callable[[AsyncConnection[Any], asyncio.Event], Awaitable[None]],
        claim: Claim = attempts.claim,
        rooms: Callable[[], Mapping[str, int]] = lambda: attempts.NO_LIMITS,
    ) -> None:
        self._dsn = dsn
        self._statements = statements
        self._queue = queue
        self._incarnation = incarnation
        self._slots = slots
        self._poll_seconds = poll_interval.total_seconds()
        self._start = start
        self._may_claim = may_claim
        self._ask = claim
        self._rooms = rooms
        self._room_came_free = False
        self.kinds_left_out: Collection[str] = ()
        self._floors = Floors()
        self._pace = Pace()
        self._looked_everywhere = 0.0
        self._look_seconds = 0.0
        self._asked: float | None = None
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()

    @property
    def age(self) -> float:
        """For how many seconds the answer to a claim has been on its way; 0 when none is."""
        return 0.0 if self._asked is None else time.monotonic() - self._asked

    def wake(self) -> None:
        """Look for jobs now: somebody said that there are some."""
        self._wake.set()

    def room_came_free(self) -> None:
        """Look for jobs now, below the floors too: of a kind that was full, the best ones were passed by."""
        self._room_came_free = True
        self._wake.set()

    async def stop(self) -> None:
        """Claim no more; a claim that is on its way is waited for, so that no job is claimed by nobody."""
        self._stopping.set()
        self._slots.close()
        self._wake.set()
        await self._stopped.wait()

    async def run(self) -> None:
        """Claim until stopped, through any number of lost connections."""
        backoff = ReconnectWait(timedelta(seconds=0.2), timedelta(seconds=2))
        while not self._stopping.is_set():
            try:
                name = f"riverrun/executor/{self._queue}/claim"
                async with await connect(self._dsn, name=name, session=CLAIM_SESSION, prepared=True) as conn:
                    await self._may_claim(conn, self._stopping)
                    await self._keep_filled(conn, backoff)
            except (DatabaseUnavailable, psycopg.Error) as error:
                seconds = backoff.next()
                metrics.db_failed("claim")
                fields = {"queue": self._queue, "error": first_line(error), "retry_in": seconds}
                log.warning("claim_failed", extra=fields)
                await happened(self._stopping, within=seconds)
        self._stopped.set()

    async def _keep_filled(self, conn: AsyncConnection[Any], backoff: ReconnectWait) -> None:
        """Claim whenever there is room: above the floors when there is news, everywhere when it is time to."""
        everywhere = not self._floors.known or self._may_look_everywhere()
        while not self._stopping.is_set():
            wanted = min(await self._slots.wait_free(), self._pace.jobs)
            if wanted == 0:
                continue
            below = self._room_came_free and self._may_look_everywhere()
            more = await self._claim(conn, wanted, everywhere=everywhere or below)
            backoff.reset()
            if more:
                everywhere = self._time_to_look_everywhere()
            elif not everywhere and self._look_seconds < CHEAP_SECONDS:
                everywhere = True
            else:
                pause = self._poll_seconds * random.uniform(1.0, 1.1)  # noqa: S311 - lets a fleet drift apart
                woken = await happened(self._wake, within=pause)
                # News that never ends must not keep what lies below the floors from being found.
                everywhere = self._time_to_look_everywhere() if woken else self._may_look_everywhere()

    async def _claim(self, conn: AsyncConnection[Any], wanted: int, *, everywhere: bool) -> bool:
        """Claim up to ``wanted`` jobs, start them, and return whether there may be more."""
        self._wake.clear()
        floors = NOWHERE if everywhere else self._floors
        all_rooms = self._rooms()
        rooms = {kind: room for kind, room in all_rooms.items() if 0 < room < wanted}
        full = [kind for kind, room in all_rooms.items() if room == 0]
        steps = self._ask(
            self._queue,
            slots=wanted,
            incarnation=self._incarnation,
            floors_us=floors.us,
            floor_ids=floors.ids,
            kinds_left_out=[*self.kinds_left_out, *full],
            rooms=rooms,
        )
        self._asked = started = time.monotonic()
        try:
            with deadline(conn, self._pace.seconds):
                jobs = await self._statements.run(conn, steps)
        except psycopg.errors.QueryCanceled:
            if not everywhere or not self._floors.known:
                raise
            # A look below the floors that takes too long must not keep what lies above them from being claimed.
            self._looked_everywhere = time.monotonic()
            self._look_seconds = self._looked_everywhere - started
            return True
        except (DatabaseUnavailable, psycopg.Error):
            self._pace.failed(time.monotonic() - started)
            raise
        finally:
            self._asked = None  # the answer is here, or will never come
        ended = time.monotonic()
        self._pace.arrived(len(jobs), ended - started)
        if everywhere:
            self._looked_everywhere, self._look_seconds, self._room_came_free = ended, ended - started, False
        self._floors.rise(jobs, exhausted=len(jobs) < wanted and not rooms)
        metrics.fetch_duration.labels(queue=self._queue).observe(ended - started)
        metrics.fetch_jobs.labels(queue=self._queue).observe(len(jobs))
        for job in jobs:
            self._start(job)
        filled_up = bool(rooms) and any(self._rooms()[kind] == 0 for kind in rooms)
        return len(jobs) == wanted or filled_up

    def _may_look_everywhere(self) -> bool:
        return self._look_seconds < CHEAP_SECONDS or self._time_to_look_everywhere()

    def _time_to_look_everywhere(self) -> bool:
        pause = max(LOOK_EVERYWHERE_SECONDS, self._look_seconds / SHARE_OF_TIME)
        return time.monotonic() - self._looked_everywhere >= pause
