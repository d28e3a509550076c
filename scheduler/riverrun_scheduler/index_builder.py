"""Builds the indexes of river_job anew, one after the other, beside running readers and writers.

REINDEX CONCURRENTLY makes a second index, lets it catch up, and swaps the two. One that is stopped leaves an index
behind, which slows every write and is never used. What this builder has left it drops itself; what it finds of others,
or could not drop, belongs to a person, and until that person has dropped it nothing more is built for that index.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql

from riverrun.database.connect import connect, first_line
from riverrun.database.deadline import deadline
from riverrun.database.schema_check import schema_name
from riverrun.database.statements import Statements
from riverrun.errors import DatabaseUnavailable
from riverrun.settings.schema import Settings
from riverrun.store import indexes
from riverrun.store.indexes import IndexFacts

log = logging.getLogger(__name__)

TABLE = "river_job"
DROP_LIMIT = timedelta(seconds=2)
"""When the term ends, so long may the dropping of what is half built take."""
ANSWER_SECONDS = 10.0
"""So much longer than the server takes its own limits may an answer take."""


async def build_anew(settings: Settings, *, within: timedelta) -> None:
    """Build every index anew that is known, whole and built by nobody else; log what became of each.

    Args:
        settings: Which database and which schema.
        within: How long one index may take.
    """
    # Waits for older transactions are waits for locks, too: the limit of the statement bounds them all.
    session = {"lock_timeout": "0", "timezone": "UTC"}
    try:
        async with await connect(settings.dsn(), name="riverrun/scheduler/reindex", session=session) as conn:
            schema = await schema_name(conn, settings.postgresql.schema_name)
            await _Builder(conn, schema, within).run()
    except (psycopg.Error, DatabaseUnavailable, TimeoutError) as error:
        log.warning("reindex_interrupted", extra={"error": first_line(error)})


class _Builder:
    def __init__(self, conn: AsyncConnection[Any], schema: str, within: timedelta) -> None:
        self._conn = conn
        self._schema = schema
        self._statements = Statements(schema)
        self._within = within

    async def run(self) -> None:
        if not await self._statements.run(self._conn, indexes.hold()):
            return
        for name in indexes.REBUILT:
            there = await self._there()
            if name in there and not any(each.building for each in there.values()):
                await self._build(there[name], [each.name for each in there.values() if each.left_of == name])

    async def _build(self, index: IndexFacts, leftovers: list[str]) -> None:
        if leftovers:
            reason = f"{', '.join(leftovers)} was left behind by a REINDEX that was stopped, and slows every write"
            _log_kept(index, reason, do="queuectl doctor says how to drop it")
            return
        began = time.monotonic()
        try:
            await self._run("REINDEX INDEX CONCURRENTLY {}", index.name, self._within)
        except psycopg.Error as error:
            _log_kept(index, first_line(error), do="end old transactions, or raise river.reindex.time_limit")
            await self._drop_leftovers(index.name, self._within)
        except asyncio.CancelledError:
            await self._drop_leftovers(index.name, DROP_LIMIT)
            raise
        else:
            seconds, after = time.monotonic() - began, (await self._there())[index.name]
            sizes = {"bytes": round(after.bytes), "bytes_before": round(index.bytes)}
            log.info("index_rebuilt", extra={"index": index.name, "seconds": round(seconds, 3), **sizes})

    async def _drop_leftovers(self, name: str, within: timedelta) -> None:
        """Drop what the building of ``name`` has left: before it there was nothing of the kind."""
        for leftover in [each.name for each in (await self._there()).values() if each.left_of == name]:
            await self._run("DROP INDEX CONCURRENTLY IF EXISTS {}", leftover, within)

    async def _there(self) -> dict[str, IndexFacts]:
        return {index.name: index for index in await self._statements.run(self._conn, indexes.of_table(TABLE))}

    async def _run(self, statement: str, index: str, within: timedelta) -> None:
        milliseconds = max(1, within // timedelta(milliseconds=1))
        with deadline(self._conn, within.total_seconds() + ANSWER_SECONDS, alone=True):
            await self._conn.execute("SELECT set_config('statement_timeout', %s, false)", (f"{milliseconds}ms",))
            await self._conn.execute(sql.SQL(statement).format(sql.Identifier(self._schema, index)))


def _log_kept(index: IndexFacts, reason: str, *, do: str) -> None:
    log.warning("index_not_rebuilt", extra={"index": index.name, "reason": reason, "do": do})
