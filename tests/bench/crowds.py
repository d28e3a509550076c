"""``python -m bench.crowds NAME``: a crowd, in a process of its own, so that what it takes itself can be told apart.

Reads lines: ``come PORT`` is answered with ``there`` once all have come, ``leave`` with how often they were answered
with each status, as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from itertools import cycle
from typing import Any, TypeAlias

READERS, CONNECTIONS = 200, 10_000
SLOW_SENDERS, ABUSES_PER_SECOND = 100, 50

STREAM = b"GET /admin/queue/events?topics=overview HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW = (
    b"POST /admin/queue/enqueue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{"
)

Statuses = Counter[int]


class Visit:
    """A crowd at one port, until it is told to leave; counts by status what it was answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.told: Statuses = Counter()
        self.complete = asyncio.Event()
        self.over = asyncio.Event()

    async def hold(self, size: int, request: bytes) -> None:
        """Hold so many connections, each of which has sent ``request`` and reads whatever comes."""
        loop = asyncio.get_running_loop()
        transports = []
        for _ in range(size):
            transport, _ = await loop.create_connection(lambda: _Reader(self.told), "127.0.0.1", self.port)
            transport.write(request)
            transports.append(transport)
        self.complete.set()
        await self.over.wait()
        for transport in transports:
            transport.abort()

    async def send(self, request: bytes) -> None:
        """Send a request on a connection of its own; it may be refused while it is still sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            line = await reader.readline()
            self.told[int(line.split()[1])] += 1
        except ConnectionError:
            pass
        finally:
            writer.close()


Crowd: TypeAlias = Callable[[Visit], Coroutine[Any, Any, None]]


async def _readers(visit: Visit) -> None:
    await visit.hold(READERS, STREAM)


async def _at_rest(visit: Visit) -> None:
    await visit.hold(CONNECTIONS, b"")


async def _abuse(visit: Visit) -> None:
    """Never finish some requests, and send others that are to be refused, so many a second."""
    slow = asyncio.create_task(visit.hold(SLOW_SENDERS, SLOW), name="slow senders")
    for request in cycle(_abuses()):
        if visit.over.is_set():
            break
        started = time.monotonic()
        await visit.send(request)
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


class _Reader(asyncio.Protocol):
    """Notes the status that it is answered with, and reads on."""

    def __init__(self, told: Statuses) -> None:
        self._told = told
        self._answered = False

    def data_received(self, data: bytes) -> None:
        if not self._answered:
            self._answered = True
            self._told[int(data.split(maxsplit=2)[1])] += 1


async def main(crowd: Crowd) -> None:
    """Come and leave as told, until there are no more lines."""
    loop = asyncio.get_running_loop()
    while words := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        visit = Visit(int(words[1]))
        there = asyncio.create_task(crowd(visit), name="crowd")
        await visit.complete.wait()
        _answer("there")
        await loop.run_in_executor(None, sys.stdin.readline)
        visit.over.set()
        await there
        _answer(json.dumps(visit.told))


def _answer(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(CROWDS[sys.argv[1]]))
