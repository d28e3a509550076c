"""What every test may use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from psycopg import AsyncConnection

from riverrun.database import migrate

pytest_plugins = ["support.postgres"]


@pytest.fixture(scope="session")
def prepare_template() -> Callable[[str], None]:
    """Give every `database` the tables of this release."""
    return _migrate


def _migrate(dsn: str) -> None:
    async def up() -> None:
        async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
            await migrate.up(conn)

    asyncio.run(up())
