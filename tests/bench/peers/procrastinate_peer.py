"""Procrastinate: one fetch and one completion for each job; enqueues in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import procrastinate
from driver import Peer, Report, run, uvloop_run


class Procrastinate(Peer):
    distribution = "procrastinate"
    configuration = "concurrency 100, pool of 20, uvloop, finished jobs kept; batch_defer in thousands"
    unfinished = "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))"

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn, min_size=2, max_size=20))
        self.report: Report
        self.task = self.app.task(name="noop")(self.noop)

    async def noop(self, n: int, sent: int | None = None) -> None:
        self.report.handled(sent)

    async def setup(self) -> None:
        async with self.app.open_async():
            await self.app.schema_manager.apply_schema_async()

    async def open(self) -> None:
        await self.app.open_async()

    async def bulk(self, jobs: list[dict[str, int]]) -> None:
        for start in range(0, len(jobs), 1_000):
            await self.task.batch_defer_async(*jobs[start : start + 1_000])

    async def single(self, job: dict[str, int]) -> None:
        await self.task.defer_async(**job)

    async def work(self, report: Report, ready: Callable[[], None], stop: asyncio.Event) -> None:
        self.report = report
        worker = asyncio.create_task(
            self.app.run_worker_async(concurrency=100, install_signal_handlers=False, delete_jobs="never"),
            name="worker",
        )
        ready()
        await asyncio.wait([worker, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
        worker.cancel()


if __name__ == "__main__":
    run(Procrastinate, uvloop_run)
