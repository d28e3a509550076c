"""What every test may use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import psycopg
import pytest
from hypothesis import settings
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from riverrun.database import migrate
from support.queries import Table

pytest_plugins = ["support.postgres"]

# How long one example takes says how busy the machine is, and nothing else.
settings.register_profile("riverrun", deadline=None)
settings.load_profile("riverrun")


@pytest.fixture(scope="session")
def prepare_template() -> Callable[[str], None]:
    """Give every `database` the tables of this release."""
    return _migrate


@pytest.fixture
def table(database: str) -> Iterator[Table]:
    """Give a connection that looks at the tables from outside."""
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as conn:
        yield conn


def _migrate(dsn: str) -> None:
    async def up() -> None:
        async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
            await migrate.up(conn)

    asyncio.run(up())
