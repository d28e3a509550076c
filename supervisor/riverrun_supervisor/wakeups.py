"""Hears what PostgreSQL announces, once for the whole host, and passes it on to the children.

A notification is a hint: whoever misses one finds the same by its next poll. So a lost connection costs time, never a
job, and after each new connection everybody is woken, because nobody knows what was missed.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import timedelta

import psycopg
from psycopg import AsyncConnection, Notify, sql

from riverrun.database.connect import connect, first_line
from riverrun.errors import DatabaseUnavailable
from riverrun.messages import Control, Message, Wake
from riverrun.reconnect_wait import ReconnectWait
from riverrun.telemetry import metrics
from riverrun.waiting import happened

log = logging.getLogger(__name__)

TOPICS = ("river_insert", "river_control", "river_leadership")
PING_SECONDS = 5.0
PING_TIMEOUT_SECONDS = 3.0
DRAIN_SECONDS = 0.01
EVERY_QUEUE = "*"

Connection = AsyncConnection[tuple[object, ...]]


async def pass_on(dsn: str, schema: str | None, tell: Callable[[Message], None]) -> None:
    """Listen for ever; reconnect with backoff.

    Args:
        dsn: The database, not through a pooler that shares sessions: there LISTEN hears nothing.
        schema: The schema of River's tables; None takes the connection's own.
        tell: Called on the event loop with a ``Wake`` for one queue or for every one, or a ``Control``.
    """
    backoff = ReconnectWait(timedelta(seconds=0.5), timedelta(seconds=30))
    while True:
        try:
            async with await connect(dsn, name="riverrun/supervisor/listen") as conn:
                await _listen(conn, schema)
                backoff.reset()
                log.info("listening")
                tell(Wake(EVERY_QUEUE))
                await _hear(conn, tell)
        except (psycopg.Error, DatabaseUnavailable, TimeoutError) as error:
            seconds = backoff.next()
            log.warning("listening_interrupted", extra={"error": first_line(error), "retry_in": seconds})
            await asyncio.sleep(seconds)
            metrics.notify_reconnects.inc()


async def _listen(conn: Connection, schema: str | None) -> None:
    if schema is None:
        row = await (await conn.execute("SELECT current_schema()")).fetchone()
        schema = str(row[0]) if row else "public"
    for topic in TOPICS:
        await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(f"{schema}.{topic}")))


async def _hear(conn: Connection, tell: Callable[[Message], None]) -> None:
    """Pass notifications on until the connection ends; probe it when it is silent, since it may be half open."""
    while True:
        if not await _has_news(conn):
            async with asyncio.timeout(PING_TIMEOUT_SECONDS):
                await conn.execute("SELECT 1")
        async for notification in conn.notifies(timeout=DRAIN_SECONDS):
            message = understood(notification)
            if message is not None:
                tell(message)


async def _has_news(conn: Connection) -> bool:
    """Wait until there is something to read, at most until the next ping.

    The driver's own wait looks ten times a second, which an idle host would pay for.
    """
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(conn.fileno(), readable.set)
    try:
        return await happened(readable, within=PING_SECONDS)
    finally:
        loop.remove_reader(conn.fileno())


def understood(notification: Notify) -> Message | None:
    """Return what a notification means for the children; None if it is not one of River's."""
    topic = notification.channel.rpartition(".")[2]
    if topic not in TOPICS:
        return None
    metrics.notify_received.labels(channel=topic).inc()
    if topic != "river_insert":
        return Control(topic, notification.payload)
    try:
        return Wake(str(json.loads(notification.payload)["queue"]))
    except (ValueError, TypeError, KeyError):
        return None
