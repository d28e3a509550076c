"""Lets one migrator at a time work on a schema, in a session that is set up for it and given back as it was.

By an advisory lock of the session. A migrator asks for it again and again instead of waiting in it: a session that
waits holds a snapshot, and an index that is built concurrently waits for every older snapshot.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.errors import Conflict

LOCK_TIMEOUT = timedelta(seconds=1.5)
"""So long a step waits for a table; whoever wants to claim waits behind it, and shall not for more than two seconds."""

_LOCK_CLASS = 0x52697672  # the first half of the lock's key; the second is made from the schema's name


def milliseconds(duration: timedelta) -> str:
    """Return ``duration`` as PostgreSQL takes it for a time limit; at least 1, because 0 means for ever."""
    return str(max(1, round(duration.total_seconds() * 1000)))


async def pause() -> None:
    """Wait between two tries, for a time that two migrators do not share."""
    await asyncio.sleep(random.uniform(0.25, 0.75))  # noqa: S311  # nobody gains by guessing it


@asynccontextmanager
async def only_migrator(conn: AsyncConnection[TupleRow], schema: str, *, patience: timedelta) -> AsyncIterator[None]:
    """Hold the migrators' lock of ``schema``; statements find its tables by their bare names meanwhile.

    Raises:
        Conflict: Another migrator held the lock for all of ``patience``.
        ValueError: The connection is not in autocommit mode.
    """
    if not conn.autocommit:
        raise ValueError("a migration needs a connection in autocommit mode: some of its steps run in no transaction")
    await _lock(conn, schema, patience)
    before = await _settings(conn)
    # A daemon's connection limits its statements; reading a big table for an index takes what it takes.
    ours = {"search_path": f'"{schema}"', "lock_timeout": milliseconds(LOCK_TIMEOUT)}
    try:
        await _set(conn, {name: ours.get(name, "0") for name in before})
        yield
    finally:
        if not conn.closed:
            await _set(conn, before)
            await conn.execute("SELECT pg_advisory_unlock(%s::int, hashtext(%s::text))", (_LOCK_CLASS, schema))


async def _lock(conn: AsyncConnection[TupleRow], schema: str, patience: timedelta) -> None:
    deadline = time.monotonic() + patience.total_seconds()
    query = "SELECT pg_try_advisory_lock(%s::int, hashtext(%s::text))"
    while (await (await conn.execute(query, (_LOCK_CLASS, schema))).fetchone()) != (True,):
        if time.monotonic() >= deadline:
            raise Conflict(
                f'another migration of schema "{schema}" did not end within {patience.total_seconds():g} s;'
                " it is the session that holds an advisory lock in pg_locks"
            )
        await pause()


async def _settings(conn: AsyncConnection[TupleRow]) -> dict[str, str]:
    """Return the session's settings that a migration changes, of those this PostgreSQL has."""
    query = (
        "SELECT name, setting FROM pg_settings"
        " WHERE name IN ('search_path', 'lock_timeout', 'statement_timeout', 'transaction_timeout')"
    )
    return dict(await (await conn.execute(query)).fetchall())


async def _set(conn: AsyncConnection[TupleRow], settings: dict[str, str]) -> None:
    for name, value in settings.items():
        await conn.execute("SELECT set_config(%s::text, %s::text, false)", (name, value))
