"""What tests share that need a database, or a service that executes jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient
from riverrun_executor.handlers.http import HttpHandlers
from support.attempts import surroundings
from support.http_server import FaultServer, fault_server


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


@pytest.fixture
async def service() -> AsyncIterator[FaultServer]:
    """Give a service that answers as it is told."""
    async with fault_server() as service:
        yield service


@pytest.fixture
async def services() -> AsyncIterator[HttpHandlers]:
    """Give what makes transports."""
    services = HttpHandlers(surroundings())
    yield services
    await services.close()
