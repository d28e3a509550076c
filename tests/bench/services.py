"""``make bench-services``: how fast services run jobs, what that adds to a bare request, and what waiting costs.

The service is a process of its own on the same processors: a rate is that of executor, database and service together.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from psycopg import AsyncConnection

from bench.server import Server, server
from riverrun import Client
from riverrun.database import migrate
from riverrun.registration import registration
from riverrun.store import registry
from riverrun.store.registry import RegisteredHandler
from riverrun.webhook import Credentials, new_secret
from riverrun_cli.bench.executors import running
from riverrun_cli.bench.machine import facts
from riverrun_executor.handlers import http_request
from riverrun_executor.handlers.grpc import GrpcHandlers
from riverrun_executor.handlers.grpc_request import fields, request
from riverrun_executor.handlers.http import HttpHandlers
from support.attempts import claimed, context_of, surroundings
from support.eventually import eventually_sync

KIND, QUEUE = "echo", "bench"
SLOTS = 200
WAITING = 1_000
PROTOCOLS = ("http", "grpc")
AT = datetime(2026, 1, 1, tzinfo=UTC)
RATE = "SELECT count(*) / extract(epoch FROM max(finalized_at) - min(finalized_at)) FROM river_job"


@contextmanager
def service(protocol: str, seconds: float = 0.0) -> Iterator[str]:
    """Give the URL of a service that answers after ``seconds``."""
    command = [sys.executable, "-m", "bench.echo", protocol, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"{protocol}://127.0.0.1:{int(process.stdout.readline())}{'/' if protocol == 'http' else ''}"
        finally:
            process.kill()


async def _migrate(dsn: str) -> None:
    async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
        await migrate.up(conn)


@contextmanager
def jobs_for(postgres: Server, url: str, *, count: int) -> Iterator[str]:
    """Give a database in which ``count`` jobs wait for the service at ``url``."""
    protocol = url.partition(":")[0]
    dsn = postgres.create("services")
    asyncio.run(_migrate(dsn))
    with Client(dsn) as client:
        # A limit that no job reaches, also where jobs wait for as long as somebody measures.
        client.run(registry.register(registration(KIND, "Echo", protocol, endpoint_url=url, timeout=86_400)))
        client.copy_in({"kind": KIND, "args": {"n": number}, "queue": QUEUE} for number in range(count))
        yield dsn


def rate(postgres: Server, protocol: str, jobs: int) -> float:
    """Return how many jobs a second one executor process runs."""
    with (
        service(protocol) as url,
        jobs_for(postgres, url, count=jobs) as dsn,
        postgres.connect("services") as conn,
        running(dsn, queue=QUEUE, slots=SLOTS),
    ):
        left = "SELECT count(*) FROM river_job WHERE state <> 'completed'"
        eventually_sync(lambda: conn.execute(left).fetchone() == (0,), within=300, every=0.5)
        (found,) = conn.execute(RATE).fetchone() or (0,)
    return float(found)


def memory(postgres: Server, protocol: str, seconds: float) -> tuple[list[int], int]:
    """Return the memory of an executor in which `WAITING` jobs wait, a few times over ``seconds``, and before it."""
    with (
        service(protocol, seconds=3600) as url,
        jobs_for(postgres, url, count=0) as dsn,
        postgres.connect("services") as conn,
        Client(dsn) as client,
        running(dsn, queue=QUEUE, slots=WAITING) as executors,
    ):
        (pid,) = executors.pids
        client.enqueue(KIND, {}, queue=QUEUE)  # what the first call loads is no cost of waiting
        time.sleep(2)
        before = resident_mb(pid)
        client.copy_in({"kind": KIND, "args": {}, "queue": QUEUE} for _ in range(WAITING - 1))
        runs = "SELECT count(*) FROM river_job WHERE state = 'running'"
        eventually_sync(lambda: conn.execute(runs).fetchone() == (WAITING,), within=60)
        found = []
        for _ in range(4):
            time.sleep(seconds / 4)
            found.append(resident_mb(pid))
        return found, before


def resident_mb(pid: int) -> int:
    """Return the memory that a process takes, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


async def added(protocol: str, url: str, rounds: int) -> tuple[float, float]:
    """Return the median of a bare request and of one as a handler makes it, in milliseconds, taken by turns."""
    said = registration(KIND, "Echo", protocol, endpoint_url=url)
    around = surroundings()
    around.credentials[KIND] = Credentials((new_secret(),), "a key")
    handlers = HttpHandlers(around) if protocol == "http" else GrpcHandlers(around)
    handler = handlers.connect(RegisteredHandler(said, None, 1, AT, AT))
    job = claimed(kind=KIND)
    try:
        bare = await _bare(handlers, url)

        async def handled() -> None:
            await handler.run(job, context_of(job))

        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            for taken, call in zip(times, (bare, handled), strict=True):
                started = time.perf_counter()
                await call()
                taken.append(time.perf_counter() - started)
    finally:
        await handlers.close()
    return statistics.median(times[0]) * 1000, statistics.median(times[1]) * 1000


async def _bare(handlers: HttpHandlers | GrpcHandlers, url: str) -> Callable[[], Awaitable[object]]:
    """Return what sends the same bytes with the client of the protocol alone."""
    job = claimed(kind=KIND)
    context = context_of(job)
    if isinstance(handlers, HttpHandlers):
        session = handlers.connections.session
        sent, headers = http_request.body(job, context, "envelope"), http_request.headers(job, context, "envelope")

        async def post() -> None:
            async with session.post(url, data=sent, headers=headers) as response:
                await response.read()

        return post
    from riverrun.egress import ANYWHERE  # noqa: PLC0415
    from riverrun_executor.handlers.grpc_endpoint import Endpoint  # noqa: PLC0415

    endpoint = await Endpoint(url, ANYWHERE, None).service()
    message, metadata = request(job, context), fields(job)
    return lambda: endpoint.run(message, metadata=metadata)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(prog="bench.services")
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0, help="for which jobs wait")
    given = parser.parse_args()
    say(str(facts()))
    with server() as postgres:
        for protocol in PROTOCOLS:
            with service(protocol) as url:
                bare, called = uvloop.run(added(protocol, url, rounds=3_000))
            say(f"{protocol}: request {bare:.2f} ms, handler {called:.2f} ms: {called - bare:.2f} ms added (medians)")
            rates = [rate(postgres, protocol, given.jobs) for _ in range(given.repeat)]
            say(f"{protocol}: {', '.join(f'{each:,.0f}' for each in rates)} jobs/s, 1 executor, {SLOTS} slots")
            found, before = memory(postgres, protocol, given.seconds)
            say(f"{protocol}: {WAITING} waiting jobs take {found} MiB, one takes {before} MiB")


if __name__ == "__main__":
    main()
