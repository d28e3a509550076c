"""The few statements that most database tests need, and a connection that counts, or dies at, what it executes."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

Table = psycopg.Connection[dict[str, Any]]
"""A connection whose rows are dicts."""


def rows(table: Table) -> list[dict[str, Any]]:
    """Return all jobs, column by column, in the order of their ids."""
    return table.execute("SELECT * FROM river_job ORDER BY id").fetchall()


async def value(conn: AsyncConnection[TupleRow], query: str) -> Any:
    """Return the first column of the first row."""
    row = await (await conn.execute(query.encode())).fetchone()
    assert row is not None
    return row[0]


class CountingConnection(AsyncConnection[TupleRow]):
    """Counts what it executes; told a number, its server process is ended before that statement."""

    executed = 0
    dies_before = -1

    async def execute(self, *args: Any, **kwargs: Any) -> psycopg.AsyncCursor[TupleRow]:
        self.executed += 1
        if self.executed == self.dies_before:
            async with await AsyncConnection.connect(self.info.dsn, autocommit=True) as other:
                await other.execute("SELECT pg_terminate_backend(%s, 5000)", (self.info.backend_pid,))
        return await super().execute(*args, **kwargs)
