"""What an executor does first on every new connection, because with the old one the server may have gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from psycopg import AsyncConnection

from riverrun.claimed_job import ClaimedJob
from riverrun.database.deadline import deadline
from riverrun.database.statements import Statements
from riverrun.store import recovery
from riverrun.waiting import happened

ANSWER_SECONDS = 5.0
LOOK_SECONDS = 0.05


class Recovery:
    """Keeps the jobs of one executor its own through a crash of the server.

    Args:
        statements: SQL of the schema.
        queue: The queue.
        incarnation: This executor, as it stands in ``attempted_by``.
        held: Returns the jobs that run, or whose endings are not written yet.
        revoke: Stops the handler of a job that somebody else has got.
    """

    def __init__(
        self,
        *,
        statements: Statements,
        queue: str,
        incarnation: str,
        held: Callable[[], Sequence[ClaimedJob]],
        revoke: Callable[[ClaimedJob], None],
    ) -> None:
        self._statements = statements
        self._queue = queue
        self._incarnation = incarnation
        self._held = held
        self._revoke = revoke
        self._one_at_a_time = asyncio.Lock()

    async def recover(self, conn: AsyncConnection[Any]) -> None:
        """Claim again what the server has lost, and stop the handlers of jobs that others have got meanwhile."""
        async with self._one_at_a_time:
            steps = recovery.recover(self._held(), queue=self._queue, incarnation=self._incarnation)
            with deadline(conn, ANSWER_SECONDS):
                taken = await self._statements.run(conn, steps)
            for job in taken:
                self._revoke(job)

    async def may_claim(self, conn: AsyncConnection[Any], stopping: asyncio.Event) -> None:
        """Recover, then wait until the other executors of the queue have too, or until ``stopping``."""
        await self.recover(conn)
        while not stopping.is_set():
            with deadline(conn, ANSWER_SECONDS):
                if await self._statements.run(conn, recovery.over(self._queue)):
                    return
            await happened(stopping, within=LOOK_SECONDS)
