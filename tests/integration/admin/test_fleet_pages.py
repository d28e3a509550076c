"""The pages of operations on many jobs, of the record of changes and of tokens: what they show, do and keep to themselves."""

from __future__ import annotations

import re

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun_admin.roles import ROLES
from support.admin import Admin, Answer, running_admin
from support.jobs import insert
from support.queries import value

Connection = AsyncConnection[TupleRow]


async def sent(admin: Admin, form: str, **fields: str) -> Answer:
    """Send a form as a page of ours does."""
    headers = {"Origin": admin.url, "Accept": "text/html"}
    return await admin.request("POST", f"/admin/form/{form}", data=fields, headers=headers)


async def operation(conn: Connection, state: str = "running") -> int:
    """Make an operation that nobody carries on: its jobs are those of an id that never comes."""
    return int(
        await value(
            conn,
            f"""INSERT INTO riverrun_bulk (
                action, params, filter, wanted, actor, state, first_id, last_id, position, matched, changed, finished_at
            )
            SELECT 'snooze', '{{"delay_s": 60}}', 'kind:email', wanted, 'token:anna', '{state}', 1, 100, 24, 12, 9,
                CASE WHEN '{state}' <> 'running' THEN now() END
            FROM riverrun_bulk ORDER BY id DESC LIMIT 1 RETURNING id""",
        )
    )
