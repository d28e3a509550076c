"""What crowds cost: the job path with and without 200 streams of events, 10,000 connections at rest, and abuse.

Quiet and crowded measurements take turns, so that a machine that gets slower meanwhile is not blamed on the crowd.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

from bench.admin_process import AdminProcess, admin_process
from riverrun import Client

QUEUECTL = Path(sys.executable).with_name("queuectl")
READERS, CONNECTIONS, JOBS, REPEATS = 200, 10_000, 60_000, 3
SLOW_SENDERS, ABUSES_PER_SECOND = 100, 50
NORMAL_SECONDS, NORMAL_JOBS_PER_SECOND = 15.0, 20
SETTLE_SECONDS = 5.0

STREAM = b"GET /admin/queue/events?topics=overview HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW = (
    b"POST /admin/queue/enqueue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{"
)

Statuses = Counter[int]
Crowd: TypeAlias = Callable[[int, asyncio.Event, Statuses], Coroutine[Any, Any, None]]
"""Comes to a port, returns once it has left after the event was set, and counts what it was answered."""


def crowd(url: str) -> dict[str, Any]:
    """Return jobs a second quietly and beside each crowd, and what the admin process used."""
    _queuectl(url, "migrate", "up")
    with admin_process(url) as admin:
        found = {"normal": _normal(url, admin)}
        rates: dict[str, list[float]] = {name: [] for name in ("quiet", *CROWDS)}
        used: dict[str, list[float]] = {name: [] for name in CROWDS}
        told: dict[str, Statuses] = {name: Counter() for name in CROWDS}
        memory = {"quiet": admin.memory_mb}
        for _ in range(REPEATS):
            rates["quiet"].append(_drain(url))
            for name, come in CROWDS.items():
                with _there(admin.port, come, told[name]):
                    before, since = admin.cpu_seconds, time.monotonic()
                    rates[name].append(_drain(url))
                    used[name].append((admin.cpu_seconds - before) / (time.monotonic() - since))
                    memory[name] = admin.memory_mb
    base = median(rates["quiet"])
    return found | {
        "jobs_per_second": {name: [round(rate) for rate in each] for name, each in rates.items()},
        "ratio": {name: round(median(rates[name]) / base, 3) for name in CROWDS},
        "cores": {name: round(median(each), 3) for name, each in used.items()},
        "memory_mb": {name: round(size, 1) for name, size in memory.items()},
        "statuses": {
            name: {str(status): times for status, times in sorted(each.items())} for name, each in told.items()
        },
    }


def _normal(url: str, admin: AdminProcess) -> dict[str, float]:
    """Return what readers cost while a few jobs a second are enqueued, in processors."""
    told: Statuses = Counter()
    with Client(url) as client, _there(admin.port, CROWDS["readers"], told):
        before, since = admin.cpu_seconds, time.monotonic()
        while (passed := time.monotonic() - since) < NORMAL_SECONDS:
            client.enqueue("bench:normal", {}, queue="crowd")
            time.sleep(max(0.0, 1 / NORMAL_JOBS_PER_SECOND - (time.monotonic() - since - passed)))
        cores = (admin.cpu_seconds - before) / passed
    return {"readers": READERS, "jobs_per_second": NORMAL_JOBS_PER_SECOND, "cores": round(cores, 4)}


def _drain(url: str) -> float:
    """Return how many jobs a second executors work off."""
    answer = json.loads(_queuectl(url, "bench", "drain", "--jobs", str(JOBS), "--repeat", "1", "-o", "json"))
    return float(answer["runs"][0]["jobs_per_second"])


def _queuectl(url: str, *arguments: str) -> str:
    environment = {**os.environ, "DATABASE_URL": url}
    return subprocess.run([QUEUECTL, *arguments], env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def _there(port: int, come: Crowd, told: Statuses) -> Iterator[None]:
    """Have a crowd there, in a thread of its own, while the block runs."""
    loop, leave = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(come(port, leave, told)))
    thread.start()
    time.sleep(SETTLE_SECONDS)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join()
        loop.close()


async def _readers(port: int, leave: asyncio.Event, told: Statuses) -> None:
    await _hold(port, READERS, STREAM, leave, told)


async def _at_rest(port: int, leave: asyncio.Event, told: Statuses) -> None:
    await _hold(port, CONNECTIONS, b"", leave, told)


async def _abuse(port: int, leave: asyncio.Event, told: Statuses) -> None:
    """Never finish some requests, and send others that are to be refused, so many a second."""
    slow = asyncio.create_task(_hold(port, SLOW_SENDERS, SLOW, leave, told), name="slow senders")
    for request in cycle(_abuses()):
        if leave.is_set():
            break
        started = time.monotonic()
        told[await _status(port, request)] += 1
        await asyncio.sleep(max(0.0, 1 / ABUSES_PER_SECOND - (time.monotonic() - started)))
    await slow


CROWDS: dict[str, Crowd] = {"readers": _readers, "connections": _at_rest, "abuse": _abuse}


def _abuses() -> list[bytes]:
    """Return requests that are to be refused: deep, too large, forged, of another site, by a stranger's name."""
    enqueue = b"POST /admin/queue/enqueue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    jobs = b"GET /admin/queue/jobs?%b HTTP/1.1\r\nHost: localhost\r\n\r\n"
    forged = base64.urlsafe_b64encode(b'[1,2,3,"000000000000"]').rstrip(b"=")
    return [
        enqueue + b"Content-Length: 60000\r\n\r\n" + b"[" * 60_000,
        enqueue + b"Content-Length: 99999999\r\n\r\n",
        enqueue + b"Origin: https://evil.example\r\nContent-Length: 2\r\n\r\n{}",
        jobs % (b"cursor=" + forged),
        jobs % (b"filter=" + b"args." + b"a." * 900 + b"a:1"),
        jobs % (b"filter=%22" + b"%5C" * 1_900),
        jobs.replace(b"localhost", b"evil.example") % b"",
        jobs.replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer nonsense\r\n\r\n") % b"",
    ]


async def _status(port: int, request: bytes) -> int:
    """Send a request; return the status that it is answered with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        line = await reader.readline()
        return int(line.split()[1])
    except ConnectionError:
        return 0  # refused while it still spoke
    finally:
        writer.close()


async def _hold(port: int, size: int, request: bytes, leave: asyncio.Event, told: Statuses) -> None:
    """Hold so many connections, each of which has sent ``request`` and reads whatever comes."""
    loop = asyncio.get_running_loop()
    transports = []
    for _ in range(size):
        transport, _ = await loop.create_connection(lambda: _Reader(told), "127.0.0.1", port)
        transport.write(request)
        transports.append(transport)
    await leave.wait()
    for transport in transports:
        transport.abort()


class _Reader(asyncio.Protocol):
    """Notes the status that it is answered with, and reads on."""

    def __init__(self, told: Statuses) -> None:
        self._told = told
        self._answered = False

    def data_received(self, data: bytes) -> None:
        if not self._answered:
            self._answered = True
            self._told[int(data.split(maxsplit=2)[1])] += 1
