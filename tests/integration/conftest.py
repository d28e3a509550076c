"""What database tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient


@pytest.fixture
async def conn(database: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Give an autocommit connection to the test's own database."""
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def client(database: str) -> AsyncIterator[AsyncClient]:
    """Give a client of the test's database."""
    async with AsyncClient(database) as client:
        yield client
