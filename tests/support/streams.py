"""Watch topics as a page does, and read what is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from support.admin import Admin

WITHIN = 10.0


@asynccontextmanager
async def watching(admin: Admin, topics: str, **headers: str) -> AsyncIterator[aiohttp.StreamReader]:
    async with admin.session.get(f"{admin.url}/admin/queue/events", params={"topics": topics}, headers=headers) as got:
        assert got.headers["Content-Type"].startswith("text/event-stream"), await got.text()
        yield got.content


async def next_event(stream: aiohttp.StreamReader) -> tuple[str, dict[str, Any]]:
    """Return id and data of the next event."""
    async with asyncio.timeout(WITHIN):
        while True:
            block = (await stream.readuntil(b"\n\n")).decode()
            fields = dict(line.split(": ", 1) for line in block.strip().split("\n"))
            if "data" in fields:
                return fields["id"], json.loads(fields["data"])
