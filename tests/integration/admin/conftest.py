"""What tests of the admin server share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.admin import Admin, running_admin


@pytest.fixture
async def admin(database: str) -> AsyncIterator[Admin]:
    """Give an admin server on the test's own database, as it is on a developer's machine: loopback, no token."""
    async with running_admin(database, river={"queues": {"default": {}, "mail": {"priority": 4}}}) as server:
        yield server
