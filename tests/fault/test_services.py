"""A service that is down for a while under load: nothing is discarded, no attempt used up, the backlog drained."""

from __future__ import annotations

import asyncio

from psycopg import AsyncConnection

from fault.lab import size
from riverrun import AsyncClient
from riverrun.registration import registration
from riverrun.store import registry
from riverrun.telemetry.host_totals import own_samples
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.http_server import fault_server
from support.ports import free_port
from support.queries import value

PER_SECOND = 50


def transitions(to: str) -> float:
    return sum(
        count
        for name, labels, count in own_samples()
        if name == "riverrun_handler_breaker_transitions_total" and labels == {"kind": "call", "to": to}
    )


async def produce(client: AsyncClient, seconds: float) -> int:
    """Enqueue `PER_SECOND` jobs a second; return how many there were."""
    rounds = int(seconds * 5)
    for _ in range(rounds):
        await client.enqueue_many([{"kind": "call", "args": {}} for _ in range(PER_SECOND // 5)])
        await asyncio.sleep(0.2)
    return rounds * (PER_SECOND // 5)


async def test_an_outage_under_load_discards_nothing_and_uses_up_no_attempts(database: str) -> None:
    outage = size(smoke=8, full=60)
    port, opened = free_port(), transitions("open")
    new = registration("call", "Call", "http", endpoint_url=f"http://127.0.0.1:{port}/")
    async with AsyncClient(database) as client, await AsyncConnection.connect(database, autocommit=True) as conn:
        await client.run(registry.register(new))
        async with running_executor(settings_for(database), slots=50):
            async with fault_server(port=port) as service:
                before = await produce(client, 2)
                await eventually(lambda: len(service.received) == before, within=30)
            jobs = before + await produce(client, outage)
            async with fault_server(port=port):
                jobs += await produce(client, 2)

                async def drained() -> bool:
                    return bool(await value(conn, "SELECT count(*) = 0 FROM river_job WHERE state <> 'completed'"))

                await eventually(drained, within=120)

        assert await value(conn, "SELECT count(*) FROM river_job") == jobs
        probes = await value(conn, "SELECT count(*) FROM river_job WHERE attempt > 1 OR errors IS NOT NULL")
        assert probes <= transitions("half_open")
        assert transitions("open") > opened
        assert transitions("closed") >= 1
