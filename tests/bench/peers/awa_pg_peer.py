"""awa: its core is Rust, its handlers here are Python coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from awa import AsyncClient
from driver import Peer, Report, run


@dataclass
class Noop:
    n: int
    sent: int | None = None


class Awa(Peer):
    distribution = "awa-pg"
    configuration = "1,000 workers, poll interval 50 ms; insert_many_copy"
    unfinished = "SELECT EXISTS (SELECT FROM awa.jobs WHERE state::text IN ('available', 'running', 'scheduled'))"

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        parts = dict(part.split("=", 1) for part in dsn.split())
        self.url = f"postgres:///{parts['dbname']}?" + urlencode(
            {"host": parts["host"], "port": parts["port"], "user": parts["user"]}
        )

    async def setup(self) -> None:
        await AsyncClient(self.url).migrate()

    async def open(self) -> None:
        self.client = AsyncClient(self.url, max_connections=20)

    async def bulk(self, jobs: list[dict[str, int]]) -> None:
        await self.client.insert_many_copy([Noop(**job) for job in jobs], kind="noop", queue="bench")

    async def single(self, job: dict[str, int]) -> None:
        await self.client.insert(asdict(Noop(**job)), kind="noop", queue="bench")

    async def work(self, report: Report, ready: Callable[[], None], stop: asyncio.Event) -> None:
        async def noop(job: Any) -> None:
            report.handled(job.args.sent)

        self.client.task(Noop, kind="noop", queue="bench")(noop)
        await self.client.start([("bench", 1_000)], poll_interval_ms=50)
        ready()
        await stop.wait()
        await self.client.shutdown()


if __name__ == "__main__":
    run(Awa)
