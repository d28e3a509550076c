"""Carries bulk operations on, a batch at a time, with a rest after each so that jobs go before.

Every admin process does; who holds an operation for a batch does that batch. The leader does not: a statement of it
that takes long would delay promotion and rescue.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import NoReturn

import psycopg

from riverrun.database.connect import first_line
from riverrun.errors import Conflict, DatabaseUnavailable, RiverrunError
from riverrun.store import bulk_operations
from riverrun.store.bulk_operations import MOST_JOBS, STRETCH, Bulk
from riverrun.waiting import happened
from riverrun_admin.database import Database, QueryTimeout

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
SHORTEST_REST = 0.02
REST_AFTER_ERROR = 2.0
MOST_FAILURES = 8


class BulkWorker:
    """One process's part in all operations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wanted = asyncio.Event()
        self._failures = 0

    def wake(self) -> None:
        """Look now: an operation has begun."""
        self._wanted.set()

    async def run(self) -> NoReturn:
        """Carry operations on until cancelled."""
        while True:
            self._wanted.clear()
            started = time.monotonic()
            bulk = await self._step()
            if bulk is not None:
                # As long as the batch took, so that at most half of a connection's time goes into it.
                await asyncio.sleep(max(SHORTEST_REST, time.monotonic() - started))
                continue
            await happened(self._wanted, within=LOOK_SECONDS)

    async def _step(self) -> Bulk | None:
        """Do one batch; one that failed is tried again in smaller parts, and in the end given up."""
        smaller = 4 ** min(self._failures, 3)
        steps = bulk_operations.step(most=MOST_JOBS // smaller, stretch=STRETCH // smaller)
        try:
            async with self._database.connection() as conn, conn.transaction():
                bulk = await self._database.statements.run(conn, steps)
        except (psycopg.Error, QueryTimeout, Conflict) as error:
            await self._failed(error)
            return None
        except RiverrunError as error:
            log.debug("bulk_interrupted", extra={"error": str(error)})
            return None
        self._failures = 0
        if bulk is not None and bulk.finished_at is not None:
            fields = {"bulk_id": bulk.id, "action": bulk.action, "matched": bulk.matched, "changed": bulk.changed}
            log.info("bulk_finished", extra=fields)
        return bulk

    async def _failed(self, error: Exception) -> None:
        self._failures += 1
        log.warning("bulk_batch_failed", extra={"error": first_line(error), "tried": self._failures})
        if self._failures >= MOST_FAILURES:
            await self._give_up(first_line(error))
        await asyncio.sleep(REST_AFTER_ERROR)

    async def _give_up(self, reason: str) -> None:
        self._failures = 0
        try:
            async with self._database.connection() as conn, conn.transaction():
                bulk = await self._database.statements.run(conn, bulk_operations.held())
                if bulk is not None:
                    await self._database.statements.run(conn, bulk_operations.fail(bulk.id, reason))
        except DatabaseUnavailable as error:
            log.debug("bulk_interrupted", extra={"error": str(error)})
