"""River UI itself, as a program that serves its HTTP API; which one it is says the environment.

``RIVERRUN_TEST_RIVER_UI`` names the program; without it, tests that need it are skipped. How it is called is in
``tests/river/README.md``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession

VARIABLE = "RIVERRUN_TEST_RIVER_UI"
START_SECONDS = 20.0

needs_ui = pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no River UI")


class RiverUi:
    """The HTTP API of one running River UI."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def ask(self, method: str, path: str, *, body: object = None, status: int = 200) -> Any:
        """Send one request, expect ``status``, and return the answer."""
        async with self._session.request(method, f"/api/{path}", json=body) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json(content_type=None)

    async def get(self, path: str) -> Any:
        """Return what stands at ``path``."""
        return await self.ask("GET", path)

    async def ids(self, filters: str) -> list[int]:
        """Return the ids of the jobs of a list, in its order."""
        return [job["id"] for job in (await self.get(f"jobs?{filters}"))["data"]]


@asynccontextmanager
async def river_ui(dsn: str, schema: str | None = None) -> AsyncIterator[RiverUi]:
    """Give a River UI that looks at the database."""
    process = await asyncio.create_subprocess_exec(
        os.environ[VARIABLE],
        dsn,
        "127.0.0.1:0",
        *([schema] if schema else []),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            address = (await process.stdout.readline()).decode().strip()
        async with ClientSession(f"http://{address}") as session:
            yield RiverUi(session)
    finally:
        process.kill()
        await process.wait()
