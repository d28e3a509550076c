"""Tells whether a pooler stands between us and PostgreSQL, which would give one session to several clients.

Such a session gives a lock to everybody who asks, since PostgreSQL grants a lock again to the session that has it: two
schedulers would lead. It hears no notifications, its prepared statements belong to others, and its settings leak from
one client to the next.
"""

from __future__ import annotations

import psycopg

from riverrun.database.connect import connect
from riverrun.database.statements import Statements
from riverrun.errors import ConfigError
from riverrun.store import health

_ROUNDS = 3
_REFUSED = (
    "postgresql: the connection goes through a pooler that lends one session to several clients (transaction or "
    "statement mode), so that two schedulers could lead at once; give the daemon the address of PostgreSQL itself; "
    "producers may keep the pooler"
)


async def refuse_shared_sessions(dsn: str, *, name: str) -> None:
    """Return if the sessions that ``dsn`` gives are nobody else's; arguments are those of `shares_sessions`.

    Raises:
        ConfigError: They are lent to others.
        DatabaseUnavailable: It cannot be reached.
    """
    if await shares_sessions(dsn, name=name):
        raise ConfigError([_REFUSED])


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
        ours.prepare_threshold = other.prepare_threshold = None  # a name that is prepared may be another client's
        for _ in range(_ROUNDS):
            before = await statements.run(ours, health.backend())
            try:
                async with other.transaction():
                    theirs = await statements.run(other, health.backend())
                    after = await statements.run(ours, health.backend()) if theirs != before else theirs
            except psycopg.errors.ProtocolViolation:  # no transactions: a pooler in statement mode
                return True
            if theirs == before or before != after:
                return True
    return False
