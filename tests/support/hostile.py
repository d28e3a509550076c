"""Texts of strangers that try to become part of a page, in every place that a page shows."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</textarea></pre></title><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202e\u2028\u2029<b>",
]


async def hostile_job(conn: AsyncConnection[TupleRow], text: str) -> int:
    """Insert a job that is made of ``text`` and return its id."""
    error = {"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": text, "trace": text}
    row = await conn.execute(
        "INSERT INTO river_job (kind, args, queue, tags, errors, metadata, state, finalized_at, max_attempts)"
        " VALUES (%s, %s, %s, %s, ARRAY[%s], %s, 'discarded', now(), 3) RETURNING id",
        (text, Jsonb({text: text}), text, [text], Jsonb(error), Jsonb({"output": text, text: text})),
    )
    ((job_id,),) = await row.fetchall()
    return int(job_id)


async def fill_with_hostile_text(conn: AsyncConnection[TupleRow]) -> list[int]:
    """Insert jobs, servers, handlers and schedules made of such texts; return the ids of the jobs."""
    for text in HOSTILE:
        await conn.execute(
            "INSERT INTO riverrun_server (server_id, host, pid, version, roles) VALUES (%s, %s, 1, %s, '{}')",
            (text[:60], text, text),
        )
        await conn.execute(
            "INSERT INTO riverrun_handler (kind, handler_name, handler_type, endpoint_url, description)"
            " VALUES (%s, %s, 'http', %s, %s)",
            (text, text, text, text),
        )
        await conn.execute(
            "INSERT INTO riverrun_schedule (name, kind, expression, timezone, queue, source)"
            " VALUES (%s, %s, %s, %s, %s, 'api')",
            (text, text, text, text, text),
        )
    return [await hostile_job(conn, text) for text in HOSTILE]
