"""Chancy: fetches many, writes outcomes one statement a job, in batches of one transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from chancy import Chancy, Job, Queue, QueuedJob, Worker, job
from driver import Peer, Report, run, uvloop_run

reports: list[Report] = []


@job(queue="bench")  # type: ignore[untyped-decorator]  # seen only where it is installed
async def noop(*, n: int, sent: int | None = None) -> None:
    reports[0].handled(sent)


class ChancyPeer(Peer):
    distribution = "chancy"
    configuration = "async executor, concurrency 200, eager polling, uvloop; push_many in thousands"
    unfinished = "SELECT EXISTS (SELECT FROM chancy_jobs WHERE state IN ('pending', 'running', 'retrying'))"

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.chancy = Chancy(dsn, log=logging.getLogger("chancy"))  # its own logger writes a line a job

    async def setup(self) -> None:
        async with Chancy(self.dsn) as chancy:
            await chancy.migrate()
            await chancy.declare(
                Queue("bench", concurrency=200, executor=Chancy.Executor.Async, polling_interval=1, eager_polling=True),
                upsert=True,
            )

    async def open(self) -> None:
        await self.chancy.__aenter__()

    async def bulk(self, jobs: list[dict[str, int]]) -> None:
        made = [self._job(arguments) for arguments in jobs]
        async for _ in self.chancy.push_many(made, batch_size=1_000):
            pass

    async def single(self, job: dict[str, int]) -> None:
        await self.chancy.push(self._job(job))

    async def work(self, report: Report, ready: Callable[[], None], stop: asyncio.Event) -> None:
        reports.append(report)
        async with Worker(self.chancy, register_signal_handlers=False):
            ready()
            await stop.wait()

    def _job(self, arguments: dict[str, int]) -> Job | QueuedJob:
        return noop.job.with_kwargs(**arguments)


if __name__ == "__main__":
    run(ChancyPeer, uvloop_run)
