"""Rows of ``river_job`` as tests need them, and what became of them."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow, dict_row

Row = dict[str, Any]


async def insert(conn: AsyncConnection[TupleRow], table: str = "river_job", **columns: Any) -> Any:
    """Insert a row and return its first column; a job is an available ``email`` unless told otherwise."""
    if table == "river_job":
        columns = {"kind": "email", "args": "{}", **columns}
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING *").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(value if isinstance(value, sql.SQL) else sql.Literal(value) for value in columns.values()),
    )
    row = await (await conn.execute(query)).fetchone()
    assert row is not None
    return row[0]


async def job(conn: AsyncConnection[TupleRow], job_id: int) -> Row:
    """Return one job, column by column."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT * FROM river_job WHERE id = %s", (job_id,))
        row = await cursor.fetchone()
    assert row is not None
    return row


async def states(conn: AsyncConnection[TupleRow]) -> list[str]:
    """Return the states of all jobs in the order of their ids."""
    rows = await (await conn.execute("SELECT state::text FROM river_job ORDER BY id")).fetchall()
    return [row[0] for row in rows]


def changed(before: Row, after: Row) -> set[str]:
    """Return the names of the columns that differ."""
    return {name for name in before if before[name] != after[name]}


def ago(interval: str) -> sql.SQL:
    """Return the database's now less ``interval``, such as ``2 hours``; a minus leads into the future."""
    return sql.SQL(f"now() - interval '{interval}'")
