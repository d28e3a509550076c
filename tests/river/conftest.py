"""What the tests of River's protocol share: a look at the rows, a client of ours, a client of River's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient
from support import handlers
from support.river_peer import RiverPeer, river_peer


@pytest.fixture
async def conn(database: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Give an autocommit connection to the test's own database."""
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def client(database: str) -> AsyncIterator[AsyncClient]:
    """Give a client of ours."""
    async with AsyncClient(database) as ours:
        yield ours


@pytest.fixture
async def peer(database: str) -> AsyncIterator[RiverPeer]:
    """Give a client of River in another language."""
    async with river_peer(database) as theirs:
        yield theirs


@pytest.fixture(autouse=True)
async def closed_gate() -> None:
    """Let every test begin with the gate of the handlers closed."""
    handlers.gate.close()
