"""What every driver of a Python job queue does alike, so that the harness treats all queues the same.

    harness ── one JSON object a line, on stdin ──▶ driver ──▶ worker processes
    harness ◀── one JSON object a line, on stdout ── driver       │
    harness ◀── UDP on the loopback address: Report ──────────────┘

Commands: setup · enqueue_bulk · enqueue_single · work · latency; the end of stdin stops everything. All is timed by the
harness, or with ``time.monotonic_ns``, which all processes of a host share.
Needs only the standard library: each driver runs in the virtual environment of its own queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Any

FLUSH_SECONDS = 0.005
STOP_SECONDS = 10.0


class Report:
    """Tells the harness what the handlers of one worker process have seen, at most every 5 ms."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._address = ("127.0.0.1", int(os.environ["BENCH_REPORT"]))
        self._count = 0
        self._told = 0
        self._start: dict[str, float] = {}
        self._waits: list[float] = []
        threading.Thread(target=self._run, name="report", daemon=True).start()

    def handled(self, sent: int | None = None) -> None:
        """Count one call of a handler; the first line of each handler.

        Args:
            sent: When the job was enqueued, if that was noted in it.
        """
        if not self._start:
            self._start = {
                "first": time.monotonic_ns(),
                "cpu_at_first": time.process_time(),
                "rss_at_first": _resident(),
            }
        self._count += 1
        if sent is not None:
            self._waits.append((time.monotonic_ns() - sent) / 1e6)

    def _run(self) -> None:
        while True:
            time.sleep(FLUSH_SECONDS)
            if self._count == self._told:
                continue
            self._told, waits, self._waits = self._count, self._waits, []
            figures = {"pid": os.getpid(), "handled": self._told, "waits": waits, **self._start}
            figures |= {"cpu": time.process_time(), "rss": _resident()}
            self._socket.sendto(json.dumps(figures).encode(), self._address)


class Peer:
    """One job queue; each driver fills in what is its own."""

    distribution: str
    configuration: str
    unfinished: str
    """SQL that is true while a job is not finished."""
    kind = "noop"

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._workers: list[asyncio.subprocess.Process] = []

    async def setup(self) -> None:
        """Make the tables."""
        raise NotImplementedError

    async def open(self) -> None:
        """Connect as a producer; called once, before anything is timed."""

    async def bulk(self, jobs: list[dict[str, int]]) -> None:
        """Enqueue all jobs the fastest documented way; each is the arguments of one."""
        raise NotImplementedError

    async def single(self, job: dict[str, int]) -> None:
        """Enqueue one job."""
        raise NotImplementedError

    async def work(self, report: Report, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Run jobs in this process until ``stop`` is set; ``ready`` says that it has begun."""
        raise NotImplementedError

    async def start_workers(self, processes: int, options: dict[str, Any]) -> None:
        """Start worker processes and return when they work."""
        del options
        self._workers = [await _spawn() for _ in range(processes)]
        for worker in self._workers:
            assert worker.stdout is not None
            line = await asyncio.wait_for(worker.stdout.readline(), 60)
            if line.strip() != b"ready":
                raise RuntimeError(f"a worker ended before it was ready (exit code {await worker.wait()})")

    async def stop_workers(self) -> None:
        """Stop them, by force when they do not listen."""
        for worker in self._workers:
            assert worker.stdin is not None
            worker.stdin.close()
        for worker in self._workers:
            try:
                await asyncio.wait_for(worker.wait(), STOP_SECONDS)
            except TimeoutError:
                worker.kill()
                await worker.wait()
        self._workers = []


def run(make: Callable[[str], Peer], loop: Callable[[Coroutine[Any, Any, None]], None] | None = None) -> None:
    """Be the driver, or with the argument ``work`` a worker process of it."""
    peer = make(os.environ["BENCH_DSN"])
    main = _work(peer) if sys.argv[1:] == ["work"] else _drive(peer)
    (loop or asyncio.run)(main)


def uvloop_run(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop, for queues that document it as faster."""
    import uvloop  # noqa: PLC0415 - only in the environments that have it

    uvloop.run(main)


async def _drive(peer: Peer) -> None:
    loop = asyncio.get_running_loop()
    opened = False
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        verb = command.pop("do")
        if verb != "setup" and not opened:
            await peer.open()
            opened = True
        answer = await _obey(peer, verb, command)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    if opened:
        await peer.stop_workers()
    os._exit(0)  # pools and threads of the libraries must not keep it


async def _obey(peer: Peer, verb: str, command: dict[str, Any]) -> dict[str, Any]:
    match verb:
        case "setup":
            await peer.setup()
            return {
                "version": version(peer.distribution),
                "configuration": peer.configuration,
                "unfinished": peer.unfinished,
            }
        case "enqueue_bulk":
            peer.kind = command.get("kind", "noop")
            jobs = [{"n": number} for number in range(command["jobs"])]
            return await _timed(peer.bulk(jobs))
        case "enqueue_single":
            return await _timed(_one_by_one(peer, command["jobs"]))
        case "work":
            await peer.start_workers(command["processes"], command)
        case "latency":
            pauses = random.Random(1)  # the same pauses for every queue
            for number in range(command["jobs"]):
                await asyncio.sleep(pauses.uniform(0.02, 0.05))
                await peer.single({"n": number, "sent": time.monotonic_ns()})
        case _:
            raise ValueError(verb)
    return {}


async def _one_by_one(peer: Peer, jobs: int) -> None:
    for number in range(jobs):
        await peer.single({"n": number})


async def _timed(work: Awaitable[None]) -> dict[str, float]:
    started = time.monotonic()
    await work
    return {"seconds": time.monotonic() - started}


async def _work(peer: Peer) -> None:
    """Work until the driver closes our stdin."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def watch() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(stop.set)

    def ready() -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    threading.Thread(target=watch, name="stdin", daemon=True).start()
    await peer.open()
    working = asyncio.create_task(peer.work(Report(), ready, stop), name="work")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        working.result()
    else:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(working, 3)
    os._exit(0)


async def _spawn() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        sys.argv[0],
        "work",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


def _resident() -> int:
    """Return the bytes of this process that are in memory now; its most so far where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * resource.getpagesize()
