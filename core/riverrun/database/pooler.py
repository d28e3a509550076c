"""Tells whether a pooler stands between us and PostgreSQL, which would give one session to several clients.

Such a session gives the leader's lock to everybody who asks, since PostgreSQL grants a lock again to the session that
has it; it hears no notifications, and its settings leak from one client to the other.
"""

from __future__ import annotations

from riverrun.database.connect import connect
from riverrun.database.statements import Statements
from riverrun.store import health

_ROUNDS = 3


async def shares_sessions(dsn: str, *, name: str) -> bool:
    """Return whether a session of one connection is lent to another between two transactions.

    One connection asks which server process serves it; while another is in a transaction, it asks again. Directly, the
    answers agree and the other has a process of its own; a pooler in transaction mode lends out the one just used.

    Args:
        dsn: The way to the database.
        name: Shown as ``application_name``.

    Raises:
        DatabaseUnavailable: It cannot be reached.
    """
    statements = Statements()
    async with await connect(dsn, name=name) as ours, await connect(dsn, name=name) as other:
        for _ in range(_ROUNDS):
            before = await statements.run(ours, health.backend())
            async with other.transaction():
                theirs = await statements.run(other, health.backend())
                after = await statements.run(ours, health.backend()) if theirs != before else theirs
            if theirs == before or before != after:
                return True
    return False
