"""What tests of the admin server share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from riverrun_admin import known_tokens
from support.admin import Admin, running_admin
from support.tokens import BOSS


@pytest.fixture
async def admin(database: str) -> AsyncIterator[Admin]:
    """Give an admin server on the test's own database, as it is on a developer's machine: loopback, no token."""
    async with running_admin(database, river={"queues": {"default": {}, "mail": {"priority": 4}}}) as server:
        yield server


@pytest.fixture
async def locked(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Admin]:
    """Give an admin server that wants a token and looks each up anew."""
    monkeypatch.setattr(known_tokens, "BELIEVED_SECONDS", 0.0)
    river: dict[str, Any] = {"queues": {"default": {}, "mail": {}, "mail_slow": {}}}
    async with running_admin(database, river=river, tokens=[BOSS]) as server:
        yield server
