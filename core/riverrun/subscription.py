"""Hear of events from any process that reaches the database, over a connection of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta

import psycopg
from psycopg import Notify, sql

from riverrun.database.connect import connect, connect_sync, first_line
from riverrun.database.statements import Statements
from riverrun.errors import DatabaseUnavailable
from riverrun.events import CONTROL_TOPIC, EVENT_TOPIC, Event, EventKind, News, understood
from riverrun.reconnect_wait import ReconnectWait
from riverrun.store import events

log = logging.getLogger(__name__)

NAME = "riverrun/client/events"
PING_SECONDS = 5.0
"""So often a silent connection is asked whether it still lives; one that does not answer is opened anew."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is to be heard, and where.

    Attributes:
        dsn: The database, not through a pooler that shares sessions: there LISTEN hears nothing.
        statements: SQL of the schema.
        kinds: The kinds of events.
        timeout: When nothing was heard for so many seconds, the iteration ends; ``None``: never.
    """

    dsn: str
    statements: Statements
    kinds: frozenset[EventKind]
    timeout: float | None

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Give events as they come, through any number of lost connections."""
        backoff, heard, lost = _backoff(), time.monotonic(), False
        while True:
            try:
                async with await connect(self.dsn, name=NAME) as conn:
                    for listen in _listening(await self.statements.run(conn, events.place())):
                        await conn.execute(listen)
                    await self.statements.run(conn, events.subscribe())
                    if lost:
                        yield Event(EventKind.MISSED)
                    lost, news = True, News()
                    backoff.reset()
                    while (pause := self._pause(heard)) > 0:
                        async for notification in conn.notifies(timeout=pause):
                            heard = time.monotonic()
                            for event in self._wanted(notification, news):
                                yield event
                        await conn.execute("SELECT")
                    return
            except (psycopg.OperationalError, DatabaseUnavailable) as error:
                await asyncio.sleep(_seconds(error, backoff, connected=lost))

    def __iter__(self) -> Iterator[Event]:
        """Do the same in blocking code."""
        backoff, heard, lost = _backoff(), time.monotonic(), False
        while True:
            try:
                with connect_sync(self.dsn, name=NAME) as conn:
                    for listen in _listening(self.statements.run_sync(conn, events.place())):
                        conn.execute(listen)
                    self.statements.run_sync(conn, events.subscribe())
                    if lost:
                        yield Event(EventKind.MISSED)
                    lost, news = True, News()
                    backoff.reset()
                    while (pause := self._pause(heard)) > 0:
                        for notification in conn.notifies(timeout=pause):
                            heard = time.monotonic()
                            yield from self._wanted(notification, news)
                        conn.execute("SELECT")
                    return
            except (psycopg.OperationalError, DatabaseUnavailable) as error:
                time.sleep(_seconds(error, backoff, connected=lost))

    def _pause(self, heard: float) -> float:
        """Return how long to wait for a notification; 0 when it is time to end."""
        return PING_SECONDS if self.timeout is None else min(PING_SECONDS, heard + self.timeout - time.monotonic())

    def _wanted(self, notification: Notify, news: News) -> Iterator[Event]:
        topic = notification.channel.rpartition(".")[2]
        new = filter(news.has, understood(topic, notification.payload))
        return (event for event in new if event.kind in self.kinds)


def _listening(schema: str) -> Iterator[sql.Composed]:
    return (sql.SQL("LISTEN {}").format(sql.Identifier(f"{schema}.{topic}")) for topic in (EVENT_TOPIC, CONTROL_TOPIC))


def _backoff() -> ReconnectWait:
    return ReconnectWait(timedelta(seconds=0.2), timedelta(seconds=10))


def _seconds(error: Exception, backoff: ReconnectWait, *, connected: bool) -> float:
    """Return when to connect again; the first time an error is raised, so that a wrong address is told at once."""
    if not connected:
        raise error
    seconds = backoff.next()
    log.warning("subscription_interrupted", extra={"error": first_line(error), "retry_in": seconds})
    return seconds
