"""pgqueuer: claims and logs in batches; finished jobs move to a log table."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta

import asyncpg
from driver import Peer, Report, run, uvloop_run
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries


class PgQueuerPeer(Peer):
    distribution = "pgqueuer"
    configuration = "asyncpg, uvloop, batch_size 1,000; enqueue in thousands"
    unfinished = "SELECT EXISTS (SELECT FROM pgqueuer)"

    async def setup(self) -> None:
        connection = await self._connect()
        await Queries(AsyncpgDriver(connection)).install()
        await connection.close()

    async def open(self) -> None:
        self.connection = await self._connect()
        self.queries = Queries(AsyncpgDriver(self.connection))

    async def bulk(self, jobs: list[dict[str, int]]) -> None:
        for start in range(0, len(jobs), 1_000):
            part = [json.dumps(job).encode() for job in jobs[start : start + 1_000]]
            await self.queries.enqueue(["noop"] * len(part), part, [0] * len(part))

    async def single(self, job: dict[str, int]) -> None:
        await self.queries.enqueue("noop", json.dumps(job).encode())

    async def work(self, report: Report, ready: Callable[[], None], stop: asyncio.Event) -> None:
        queue = PgQueuer(AsyncpgDriver(self.connection))

        @queue.entrypoint("noop")  # type: ignore[untyped-decorator]  # seen only where it is installed
        async def noop(job: Job) -> None:
            report.handled(json.loads(job.payload or b"{}").get("sent"))

        ready()
        running = asyncio.create_task(
            queue.run(batch_size=1_000, dequeue_timeout=timedelta(seconds=30)), name="pgqueuer"
        )
        await asyncio.wait([running, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
        running.cancel()

    async def _connect(self) -> asyncpg.Connection:
        parts = dict(part.split("=", 1) for part in self.dsn.split())
        return await asyncpg.connect(
            host=parts["host"], port=int(parts["port"]), user=parts["user"], database=parts["dbname"]
        )


if __name__ == "__main__":
    run(PgQueuerPeer, uvloop_run)
