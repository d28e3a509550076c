"""A service that ends its jobs by callback, and what hooks hear of that."""

from __future__ import annotations

from copy import copy
from datetime import timedelta
from typing import Any

from riverrun import AsyncClient, Context, Event, Job
from riverrun.outcome import Outcome
from riverrun.store import attempts
from support.admin import Admin, Answer
from support.eventually import eventually
from support.executors import RunningExecutor
from support.http_server import FaultServer, Received

WITHIN = 20.0
TOKEN = "Job-Callback-Token"


class Later:
    """A service that answers at once and says the rest later."""

    def __init__(self, client: AsyncClient, admin: Admin, service: FaultServer, executor: RunningExecutor) -> None:
        self.client = client
        self.admin = admin
        self.service = service
        self.executor = executor

    @property
    def posted(self) -> list[Received]:
        """Return the jobs that the service was given, in their order; what it is told of their ends is left out."""
        return [request for request in self.service.received if request.path == "/handle"]

    async def accepted(self) -> tuple[int, str]:
        """Enqueue a job, wait until the service has it, and return its id and its token."""
        job = (await self.client.enqueue("call", {})).job
        await eventually(lambda: self.posted, within=WITHIN)
        request = self.posted[-1]
        assert request.headers["Job-Id"] == str(job.id)
        return job.id, request.headers[TOKEN]

    async def say(self, job_id: int, token: str, *, key: str | None = None, **said: Any) -> Answer:
        headers = {TOKEN: token} | ({} if key is None else {"Idempotency-Key": key})
        return await self.admin.post(f"/admin/queue/callback/{job_id}", said, headers=headers)

    async def freed(self) -> None:
        """Wait until the executor holds nothing any more."""
        await eventually(lambda: not self.executor.executor.held(), within=WITHIN)

    async def refresh(self, *, answer_is_lost: bool = False) -> None:
        """Make what runs look young, as executors do while a client of River leads."""
        running = [copy(job) if answer_is_lost else job for job in self.executor.executor.running_for(0)]
        await self.client.run(attempts.refresh(running, self.executor.context.incarnation, older_than=timedelta()))

    async def job(self, job_id: int) -> Job:
        return await self.client.get(job_id)


class Heard:
    """What hooks and listeners of the executor were told.

    Attributes:
        ends: The outcomes that end hooks were given.
        events: The events.
    """

    def __init__(self) -> None:
        self.ends: list[Outcome] = []
        self.events: list[Event] = []

    def see_end(self, ctx: Context, outcome: Outcome) -> None:
        """Be the hook."""
        self.ends.append(outcome)
