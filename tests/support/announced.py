"""What is announced on River's channels, byte for byte."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from psycopg import AsyncConnection

TOPICS = ("river_insert", "river_control", "river_leadership")

Heard = Callable[[], Awaitable[list[tuple[str, str]]]]


@asynccontextmanager
async def announcements(dsn: str) -> AsyncIterator[Heard]:
    """Give a function that returns topic and payload of everything announced since it was last called."""
    async with await AsyncConnection.connect(dsn, autocommit=True) as listener:
        for topic in TOPICS:
            await listener.execute(f'LISTEN "public.{topic}"'.encode())

        async def heard() -> list[tuple[str, str]]:
            # One that is sent last ends the wait: notifications arrive in the order of their commits.
            await listener.execute("SELECT pg_notify('public.river_insert', 'the end')")
            notes = []
            async for note in listener.notifies():
                if note.payload == "the end":
                    break
                notes.append((note.channel.removeprefix("public."), note.payload))
            return notes

        yield heard
