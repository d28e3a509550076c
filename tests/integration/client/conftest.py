"""What tests of the clients share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from riverrun import AsyncClient, Client


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    """Give a blocking client of the test's database."""
    with Client(database) as client:
        yield client


@pytest.fixture
async def async_client(database: str) -> AsyncIterator[AsyncClient]:
    """Give an asynchronous client of the test's database."""
    async with AsyncClient(database) as client:
        yield client
