"""What tests of callbacks share: a service that answers at once and says the rest later."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

import riverrun
from riverrun import AsyncClient
from riverrun.registration import registration
from riverrun.store import registry
from support.admin import running_admin
from support.callbacks import Heard, Later
from support.contexts import settings_for
from support.executors import running_executor
from support.http_server import Script, fault_server
from support.jobs import ago, insert


@pytest.fixture
async def later(database: str) -> AsyncIterator[Later]:
    settings = settings_for(database)
    async with (
        AsyncClient(database) as client,
        fault_server() as service,
        running_admin(database) as admin,
    ):
        service.script = Script(status=202, headers={"Job-Async": "60"})
        calls = {"cancel_url": service.url("/cancel")}
        said = registration("call", "Call", "http", endpoint_url=service.url(), timeout=0.5, settings=calls)
        await client.run(registry.register(said))
        async with running_executor(settings) as executor:
            yield Later(client, admin, service, executor)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Register hooks for the executor that begins after it."""
    monkeypatch.setattr("riverrun.extensions._registered", {})
    heard = Heard()
    riverrun.on_end("call")(heard.see_end)
    riverrun.on_event()(heard.events.append)
    return heard


@pytest.fixture
async def go_leads(conn: AsyncConnection[TupleRow]) -> None:
    """Let a client of River hold the leader row."""
    await insert(conn, "river_leader", leader_id="go", elected_at=ago("1 second"), expires_at=ago("-60 seconds"))
