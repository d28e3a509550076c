"""Run a real admin process's server inside the test's own event loop, and talk to it over its socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from riverrun.role import RoleContext
from riverrun.settings.admin import AdminSettings
from riverrun.settings.schema import Settings
from riverrun_admin.__main__ import main
from support.contexts import context_for, settings_for
from support.eventually import eventually
from support.ports import free_port


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    json: Any

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def pointers(self) -> list[str]:
        """Which fields a problem complains of."""
        return [error["pointer"] for error in self.json["errors"]]


class Admin:
    """A running admin server."""

    def __init__(self, url: str, session: aiohttp.ClientSession, context: RoleContext) -> None:
        self.url = url
        self.session = session
        self.context = context

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        options.setdefault("allow_redirects", False)
        async with self.session.request(method, self.url + path, **options) as response:
            # A stream of events has no end.
            body = b"" if response.content_type == "text/event-stream" else await response.read()
            is_json = response.content_type in ("application/json", "application/problem+json")
            json = await response.json(content_type=None) if is_json and body else None
            return Answer(response.status, response.headers, body, json)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any, **options: Any) -> Answer:
        return await self.request("POST", path, json=json, **options)

    async def page(self, path: str, **headers: str) -> Answer:
        """Return what a browser gets."""
        return await self.get(path, headers={"Accept": "text/html,*/*;q=0.8", **headers})

    async def enqueue(self, **fields: Any) -> Answer:
        return await self.post("/admin/queue/enqueue", {"task_type": "email", **fields})


@asynccontextmanager
async def running_admin(
    dsn: str, *, river: Mapping[str, Any] | None = None, within: float = 10.0, **admin: Any
) -> AsyncIterator[Admin]:
    """Give an admin server on ``dsn`` that works until the block ends; ``admin`` are keys of that section."""
    port = free_port()
    base = settings_for(dsn, **(river or {}))
    section = AdminSettings.model_validate({"host": "127.0.0.1", "port": port, **admin})
    settings = base.model_copy(
        update={"admin": section, "postgresql": base.postgresql.model_copy(update={"min_conns": 1})}
    )
    async with _serving(settings, within) as context, aiohttp.ClientSession() as session:
        yield Admin(f"http://127.0.0.1:{port}", session, context)


@asynccontextmanager
async def _serving(settings: Settings, within: float) -> AsyncIterator[RoleContext]:
    context = context_for("admin", settings)
    task = asyncio.create_task(main(context), name="admin under test")

    async def listens() -> bool:
        if task.done():
            task.result()
        _, writer = await asyncio.open_connection("127.0.0.1", settings.admin.port)
        writer.close()
        await writer.wait_closed()
        return True

    try:
        await eventually(listens, within=within)
        yield context
    finally:
        context.draining.set()
        context.hurrying.set()
        await asyncio.wait_for(task, within)


async def sent(admin: Admin, form: str, **fields: Any) -> Answer:
    """Send a form as a page of ours does."""
    headers = {"Origin": admin.url, "Accept": "text/html"}
    return await admin.request("POST", f"/admin/form/{form}", data=fields, headers=headers)


def path_of(answer: Answer) -> str:
    """Return where a form has led, below ``/admin/``."""
    assert answer.status == 303, answer.text
    return answer.headers["Location"].replace("../", "")
