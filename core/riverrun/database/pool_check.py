"""Tries a pooled connection before it is used, but asks the server only when there is a reason.

A question to the server on every use would double what a small enqueue costs. A server that has closed a connection
has said so on its socket, where it is seen without asking; a network that swallows everything is found out by the
keepalive of the session (``connect.session_dsn``).
"""

from __future__ import annotations

import selectors
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool, ConnectionPool


def check(conn: Connection[Any]) -> None:
    """Raise `psycopg.OperationalError` when a connection at rest was closed by the server."""
    if _has_news(conn):
        ConnectionPool.check_connection(conn)


async def check_async(conn: AsyncConnection[Any]) -> None:
    """Do as `check` does."""
    if _has_news(conn):
        await AsyncConnectionPool.check_connection(conn)


def _has_news(conn: Connection[Any] | AsyncConnection[Any]) -> bool:
    """Return whether the server has said something unasked: most often good-bye, sometimes a changed parameter."""
    with selectors.DefaultSelector() as selector:
        selector.register(conn, selectors.EVENT_READ)
        return bool(selector.select(timeout=0))
