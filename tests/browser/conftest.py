"""What tests that look at the pages share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser
from psycopg import AsyncConnection

from browser.fleet import fill
from support.admin import Admin, running_admin
from support.browser import PROGRAM, chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)
            if PROGRAM is None:
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed: apt-get install chromium"))


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Give a browser of this test's own."""
    async with chromium() as running:
        yield running


@pytest.fixture
async def fleet(database: str) -> AsyncIterator[Admin]:
    """Give an admin server whose database holds a fleet."""
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        await fill(conn)
    async with running_admin(database, river={"queues": {"default": {}, "email": {}}}) as admin:
        yield admin
