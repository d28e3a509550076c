"""The one connection of a scheduler: the leader's lock lives in its session, and every write of a term runs on it.

Its limits are short on purpose. No statement may last so long that the next pulse comes late: 1.5 s at most, half a
second of it in wait for a lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from psycopg import AsyncConnection, Notify, sql

from riverrun.database.connect import connect
from riverrun.database.deadline import deadline
from riverrun.database.schema_check import check, schema_name
from riverrun.database.statements import Statements, Steps
from riverrun.settings.schema import Settings

T = TypeVar("T")

CHANNELS = ("riverrun_leadership", "river_leadership")
LIMITS = {
    "statement_timeout": "1500ms",
    "lock_timeout": "500ms",
    # The server ends the session of a leader that is cut off, also in the middle of an answer that nobody acknowledges.
    "tcp_user_timeout": "4000",
    "timezone": "UTC",
}


class Session:
    """A connection that nobody else uses, and what is heard on it."""

    def __init__(self, conn: AsyncConnection[Any], statements: Statements, *, listens: bool) -> None:
        self._conn = conn
        self._statements = statements
        self._listens = listens
        self._opened = time.monotonic()

    @property
    def pid(self) -> int:
        """Process id of the server process behind it."""
        return self._conn.info.backend_pid

    @property
    def age(self) -> timedelta:
        """How long it has lasted; for so long PostgreSQL has neither crashed nor been replaced."""
        return timedelta(seconds=time.monotonic() - self._opened)

    @property
    def closed(self) -> bool:
        """Whether it is lost."""
        return self._conn.closed

    async def run(self, steps: Steps[T], *, within: float = 5.0) -> T:
        """Run an operation; raises TimeoutError when the answer takes longer than ``within`` seconds."""
        # The wait ends in time, and so does the connection, or the driver would not let the wait end.
        with deadline(self._conn, within + 0.1):
            async with asyncio.timeout(within):
                return await self._statements.run(self._conn, steps)

    async def rest(self, seconds: float) -> Notify | None:
        """Wait for a notification about leadership from another session, up to ``seconds``, and return it."""
        if not self._listens:
            await asyncio.sleep(seconds)
            return None
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            async for notify in self._conn.notifies(timeout=left, stop_after=1):
                if notify.pid != self.pid:
                    return notify
        return None


@asynccontextmanager
async def open_session(settings: Settings) -> AsyncIterator[Session]:
    """Connect, check that this release works on the tables, and listen.

    Raises:
        ConfigError: No database is configured.
        DatabaseUnavailable: It cannot be reached.
        SchemaError: This release does not work on its tables.
    """
    schema = settings.postgresql.schema_name
    conn = await connect(settings.dsn(), name="riverrun/scheduler", session=LIMITS, prepared=True)
    async with conn:
        await check(conn, schema)
        listens = not settings.river.poll_only
        if listens:
            prefix = await schema_name(conn, schema)
            for channel in CHANNELS:
                await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(f"{prefix}.{channel}")))
        yield Session(conn, Statements(schema), listens=listens)
