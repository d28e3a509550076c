"""Oban for Python: one acknowledgement for each job, grouped into one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from driver import Peer, Report, run, uvloop_run
from oban import Oban, worker
from oban.schema import install
from psycopg_pool import AsyncConnectionPool

reports: list[Report] = []


@worker(queue="default")
class Noop:
    async def process(self, job: Any) -> None:
        reports[0].handled(job.args.get("sent"))


class ObanPeer(Peer):
    distribution = "oban"
    configuration = "queue limit 200, pool of 20, uvloop; enqueue_many in thousands"
    unfinished = "SELECT EXISTS (SELECT FROM oban_jobs WHERE state IN ('available', 'executing', 'scheduled'))"

    async def setup(self) -> None:
        async with AsyncConnectionPool(self.dsn, open=False) as pool:
            await install(pool)

    async def open(self) -> None:
        self.pool = AsyncConnectionPool(self.dsn, min_size=2, max_size=20, open=False)
        await self.pool.open()
        self.producer = Oban(pool=self.pool, name="producer")

    async def bulk(self, jobs: list[dict[str, int]]) -> None:
        for start in range(0, len(jobs), 1_000):
            await self.producer.enqueue_many([Noop.new(job) for job in jobs[start : start + 1_000]])  # type: ignore[attr-defined]  # made by the decorator

    async def single(self, job: dict[str, int]) -> None:
        await self.producer.enqueue(Noop.new(job))  # type: ignore[attr-defined]  # as above

    async def work(self, report: Report, ready: Callable[[], None], stop: asyncio.Event) -> None:
        reports.append(report)
        async with Oban(pool=self.pool, queues={"default": 200}):
            ready()
            await stop.wait()


if __name__ == "__main__":
    run(ObanPeer, uvloop_run)
