"""What very many readers cost: the job path with and without 200 streams of events and 10,000 connections at rest.

    PYTHONPATH=tests .venv/bin/python -m bench.crowd

Quiet and crowded measurements take turns, so that a machine that gets slower meanwhile is not blamed on the crowd.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.admin_process import AdminProcess, admin_process
from bench.server import server
from riverrun.settings.connection import url_from_conninfo

QUEUECTL = Path(sys.executable).with_name("queuectl")
READERS, CONNECTIONS, JOBS, REPEATS = 200, 10_000, 100_000, 3
STREAM = b"GET /admin/queue/events?topics=overview HTTP/1.1\r\nHost: localhost\r\n\r\n"
SETTLE_SECONDS = 3.0


def main() -> None:
    """Measure, and print what was found as JSON."""
    given = _arguments()
    with server() as postgres:
        dsn = postgres.create("crowd")
        _queuectl(dsn, "migrate", "up")
        with admin_process(dsn) as admin:
            found = _measure(admin, lambda: _drain(dsn, given.jobs), given)
    sys.stdout.write(json.dumps({**vars(given), **found}, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.crowd", description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=READERS)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--repeat", type=int, default=REPEATS)
    return parser.parse_args()


def _measure(admin: AdminProcess, drain: Callable[[], float], given: argparse.Namespace) -> dict[str, Any]:
    quiet, streamed, crowded, shares, memory = [], [], [], [], {"alone": admin.memory_mb}
    for _ in range(given.repeat):
        quiet.append(drain())
        with _crowd(admin.port, given.readers, STREAM):
            before, since = admin.cpu_seconds, time.monotonic()
            streamed.append(drain())
            shares.append((admin.cpu_seconds - before) / (time.monotonic() - since))
            memory["readers"] = admin.memory_mb
        with _crowd(admin.port, given.connections, b""):
            crowded.append(drain())
            memory["connections"] = admin.memory_mb
    base = statistics.median(quiet)
    return {
        "jobs_per_second": {"quiet": quiet, "readers": streamed, "connections": crowded},
        "slower_by": {
            "readers": round(1 - statistics.median(streamed) / base, 4),
            "connections": round(1 - statistics.median(crowded) / base, 4),
        },
        "admin_cores_with_readers": round(statistics.median(shares), 4),
        "admin_memory_mb": {name: round(size, 1) for name, size in memory.items()},
    }


def _drain(dsn: str, jobs: int) -> float:
    """Return how many jobs a second executors work off."""
    answer = json.loads(_queuectl(dsn, "bench", "drain", "--jobs", str(jobs), "--repeat", "1", "-o", "json"))
    return float(answer["jobs_per_second"])


def _queuectl(dsn: str, *arguments: str) -> str:
    environment = {**os.environ, "DATABASE_URL": url_from_conninfo(dsn)}
    return subprocess.run([QUEUECTL, *arguments], env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def _crowd(port: int, size: int, request: bytes) -> Iterator[None]:
    """Hold so many connections, each of which has sent ``request`` and reads whatever comes."""
    loop = asyncio.new_event_loop()
    there, leave = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(_hold(port, size, request, there, leave)))
    thread.start()
    there.wait()
    time.sleep(SETTLE_SECONDS)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join()
        loop.close()


async def _hold(port: int, size: int, request: bytes, there: threading.Event, leave: asyncio.Event) -> None:
    transports = []
    try:
        for _ in range(size):
            transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", port)
            transport.write(request)
            transports.append(transport)
    finally:
        there.set()
    await leave.wait()
    for transport in transports:
        transport.abort()


if __name__ == "__main__":
    main()
