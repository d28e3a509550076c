"""What an operator sees of a service that is down: in the list of handlers and in the metrics of a whole daemon."""

from __future__ import annotations

import re

import aiohttp

from riverrun import AsyncClient, JobState
from riverrun.registration import registration
from riverrun.store import registry
from support.daemons import Daemon
from support.eventually import eventually
from support.http_server import fault_server
from support.ports import free_port
from support.queuectl import Queuectl

WITHIN = 30.0
JOBS = 20
TRANSITIONS = re.compile(r'riverrun_handler_breaker_transitions_total\{.*kind="call".*to="(\w+)".*\} (\d+)')


async def transitions(session: aiohttp.ClientSession, port: int) -> dict[str, int]:
    """Return how often the breaker has changed, by what it became."""
    async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        return {to: int(count) for to, count in TRANSITIONS.findall(await answer.text())}


async def test_an_outage_is_seen_while_it_lasts_and_its_end_as_well(
    daemon: Daemon, database: str, queuectl: Queuectl
) -> None:
    port, admin = free_port(), free_port()
    daemon.config.write_text(f"server_id: host-1\nadmin: {{port: {admin}}}\nriver: {{queues: {{default: {{}}}}}}\n")
    async with AsyncClient(database) as client, aiohttp.ClientSession() as session:
        new = registration("call", "Call", "http", endpoint_url=f"http://127.0.0.1:{port}/")
        await client.run(registry.register(new))
        await (await daemon.start(module="riverrun_supervisor")).ready()
        await client.enqueue_many([{"kind": "call", "args": {}} for _ in range(JOBS)])

        async def opened() -> bool:
            return (await transitions(session, admin)).get("open") == 1

        await eventually(opened, within=WITHIN)
        (during,) = queuectl.json("handler", "list")
        async with fault_server(port=port):
            queuectl("handler", "resume", "call")

            async def all_done() -> bool:
                return len((await client.list(state=JobState.COMPLETED)).jobs) == JOBS

            await eventually(all_done, within=WITHIN)
            (after,) = queuectl.json("handler", "list")

            async def closed() -> bool:
                return (await transitions(session, admin)).get("closed") == 1

            await eventually(closed, within=WITHIN)
        jobs = (await client.list(limit=JOBS)).jobs

    assert during["state"] in {"open", "half_open"}
    assert f"127.0.0.1:{port}" in during["reason"]
    assert (after["state"], after["reason"]) == ("ok", "")
    assert {(job.attempt, len(job.errors)) for job in jobs} == {(1, 0)}
