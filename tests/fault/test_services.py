"""A service that is down for a while under load: nothing is discarded, no attempt used up, the backlog drained."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from psycopg import AsyncConnection

from fault.lab import size
from riverrun import AsyncClient
from riverrun.registration import registration
from riverrun.store import registry
from riverrun.telemetry.host_totals import own_samples
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.grpc_server import fault_service
from support.http_server import fault_server
from support.ports import free_port
from support.queries import value

PER_SECOND = 50


def transitions() -> Counter[str]:
    """Return how often breakers have changed in this process, by what they became."""
    changes: Counter[str] = Counter()
    for name, labels, count in own_samples():
        if name == "riverrun_handler_breaker_transitions_total" and labels["kind"] == "call":
            changes[labels["to"]] += int(count)
    return changes


async def produce(client: AsyncClient, seconds: float) -> int:
    """Enqueue `PER_SECOND` jobs a second; return how many there were."""
    rounds = int(seconds * 5)
    for _ in range(rounds):
        await client.enqueue_many([{"kind": "call", "args": {}} for _ in range(PER_SECOND // 5)])
        await asyncio.sleep(0.2)
    return rounds * (PER_SECOND // 5)


@asynccontextmanager
async def serving(protocol: str, port: int) -> AsyncIterator[Sequence[object]]:
    """Give what a service on ``port`` has received, as long as it lives."""
    async with fault_server(port=port) if protocol == "http" else fault_service(port=port) as service:
        yield service.received


@pytest.mark.parametrize("protocol", ["http", "grpc"])
async def test_an_outage_under_load_discards_nothing_and_uses_up_no_attempts(database: str, protocol: str) -> None:
    outage = size(smoke=8, full=60)
    port, before_it = free_port(), transitions()
    new = registration("call", "Call", protocol, endpoint_url=f"{protocol}://127.0.0.1:{port}")
    async with AsyncClient(database) as client, await AsyncConnection.connect(database, autocommit=True) as conn:

        async def drained() -> bool:
            return bool(await value(conn, "SELECT count(*) = 0 FROM river_job WHERE state <> 'completed'"))

        await client.run(registry.register(new))
        async with running_executor(settings_for(database), slots=50):
            async with serving(protocol, port) as received:
                before = await produce(client, 2)
                await eventually(lambda: len(received) == before, within=60)
                await eventually(drained, within=60)
            jobs = before + await produce(client, outage)
            back = time.monotonic()
            async with serving(protocol, port):
                jobs += await produce(client, 2)
                await eventually(drained, within=120)

        assert await value(conn, "SELECT count(*) FROM river_job") == jobs
        burned = await value(conn, "SELECT count(*) FROM river_job WHERE attempt > 1 OR errors IS NOT NULL")
        changes = transitions() - before_it
        probes = changes["half_open"]
        sys.stdout.write(
            f"{protocol}: {outage} s without its service: {jobs} jobs, all completed, {burned} attempts used up, "
            f"{probes} probes, drained {time.monotonic() - back:.1f} s after it was back\n"
        )
        assert burned <= probes
        assert changes["open"] >= 1
        assert changes["closed"] == 1
