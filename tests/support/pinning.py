"""Things that keep VACUUM from removing dead rows, for as long as a test wants them."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.pq import ExecStatus, PGconn
from psycopg.pq.abc import PGconn as Session
from psycopg.rows import TupleRow

from support.eventually import eventually

Connection = AsyncConnection[TupleRow]


@asynccontextmanager
async def idle_in_transaction(dsn: str, statement: str) -> AsyncIterator[Connection]:
    """Give a session that has executed ``statement`` and forgot its transaction."""
    async with await AsyncConnection.connect(dsn, application_name="forgetful") as conn:
        await conn.execute(statement.encode())
        yield conn
        await conn.rollback()


@asynccontextmanager
async def prepared_transaction(conn: Connection, name: str) -> AsyncIterator[None]:
    """Leave a prepared transaction; ``conn`` is in autocommit mode."""
    await conn.execute("BEGIN")
    await conn.execute("SELECT pg_current_xact_id()")
    await conn.execute(f"PREPARE TRANSACTION '{name}'".encode())
    try:
        yield
    finally:
        await conn.execute(f"ROLLBACK PREPARED '{name}'".encode())


@asynccontextmanager
async def abandoned_slot(conn: Connection, dsn: str, name: str) -> AsyncIterator[None]:
    """Leave the slot of a standby that reported what it reads, and then went away."""
    await conn.execute("SELECT pg_create_physical_replication_slot(%s, true)", (name,))
    try:
        row = await (await conn.execute("SELECT txid_current(), pg_current_wal_flush_lsn()::text")).fetchone()
        assert row is not None
        standby = _standby(dsn, name, oldest=row[0] % 2**32, position=row[1])
        try:
            await eventually(lambda: _slot_is(conn, name, "xmin IS NOT NULL"), within=10)
        finally:
            standby.finish()
        await eventually(lambda: _slot_is(conn, name, "NOT active"), within=10)
        yield
    finally:
        await conn.execute("SELECT pg_drop_replication_slot(%s)", (name,))


def _standby(dsn: str, slot: str, *, oldest: int, position: str) -> Session:
    """Connect as a standby does, and say what the oldest transaction is that it still sees."""
    standby: Session = PGconn.connect(make_conninfo(dsn, replication="true").encode())
    result = standby.exec_(f"START_REPLICATION SLOT {slot} PHYSICAL {position}".encode())
    assert result.status == ExecStatus.COPY_BOTH, standby.get_error_message()
    standby.put_copy_data(b"h" + struct.pack("!qIIII", 0, oldest, 0, 0, 0))
    standby.flush()
    return standby


async def _slot_is(conn: Connection, name: str, condition: str) -> bool:
    query = f"SELECT {condition} FROM pg_replication_slots WHERE slot_name = %s"
    row = await (await conn.execute(query.encode(), (name,))).fetchone()
    return bool(row and row[0])
