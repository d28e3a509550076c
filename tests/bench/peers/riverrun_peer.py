"""Riverrun: executors as the daemon starts them, COPY for bulk; finished jobs are kept."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiohttp import web
from driver import Peer, Report, run
from psycopg import AsyncConnection

from riverrun import Client
from riverrun.database import migrate
from riverrun.registration import registration
from riverrun.store import registry
from riverrun_cli.bench.executors import running

QUEUE = "bench"
SLOTS = 600


class Riverrun(Peer):
    distribution = "riverrun"
    configuration = f"{SLOTS} slots, durable finalize, finished jobs kept; copy_in for bulk"
    unfinished = "SELECT EXISTS (SELECT FROM river_job WHERE finalized_at IS NULL)"
    kind = "noop"

    async def setup(self) -> None:
        async with await AsyncConnection.connect(self.dsn, autocommit=True) as conn:
            await migrate.up(conn)

    async def open(self) -> None:
        self.client = Client(self.dsn)
        self.executors = contextlib.ExitStack()
        self.service: web.AppRunner | None = None

    async def bulk(self, jobs: list[dict[str, int]]) -> None:
        self.client.copy_in({"kind": self.kind, "args": job, "queue": QUEUE} for job in jobs)

    async def single(self, job: dict[str, int]) -> None:
        self.client.enqueue(self.kind, job, queue=QUEUE)

    async def start_workers(self, processes: int, options: dict[str, Any]) -> None:
        self.kind = options.get("kind", "noop")
        if self.kind == "http":
            await self._serve()
        executors = running(
            self.dsn, queue=QUEUE, processes=processes, slots=options.get("slots", SLOTS), modules=["bench_jobs"]
        )
        # Beside the loop: the service answers while they start.
        await asyncio.to_thread(self.executors.enter_context, executors)

    async def stop_workers(self) -> None:
        await asyncio.to_thread(self.executors.close)
        if self.service is not None:
            await self.service.cleanup()

    async def _serve(self) -> None:
        """Be the HTTP service that handles the jobs, on the loopback address."""
        report = Report()

        async def handle(request: web.Request) -> web.Response:
            await request.read()
            report.handled()
            return web.Response(status=204)

        app = web.Application()
        app.router.add_post("/", handle)
        self.service = web.AppRunner(app, access_log=None)
        await self.service.setup()
        site = web.TCPSite(self.service, "127.0.0.1", 0)
        await site.start()
        port = self.service.addresses[0][1]
        self.client.run(
            registry.register(registration("http", "bench", "http", endpoint_url=f"http://127.0.0.1:{port}/"))
        )


if __name__ == "__main__":
    run(Riverrun)
