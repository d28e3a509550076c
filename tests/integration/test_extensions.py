"""Hooks, error handlers and retry policies where they meet the database: in executors and in clients."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

import pytest

import riverrun
import riverrun.handlers as registered_handlers
from riverrun import AsyncClient, Client, Context, InvalidInput, Job, JobState
from riverrun.client import Enqueue, Results
from riverrun.extensions import Work
from riverrun.job_spec import JobSpec
from riverrun.new_job import NewJob
from riverrun.outcome import Cancelled, Failed, Outcome, Snoozed
from riverrun.sync_client import Enqueue as SyncEnqueue
from support import handlers as common_handlers
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor


@pytest.fixture(autouse=True)
def _own_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert common_handlers.gate  # loaded before, so that they stay registered behind this test
    monkeypatch.setattr("riverrun.extensions._registered", {})
    monkeypatch.setattr("riverrun.handlers._registered", dict(registered_handlers._registered))


async def finished(client: AsyncClient, database: str, kind: str) -> Job:
    """Enqueue a job, run it once, and return it as the attempt left it."""
    job = (await client.enqueue(kind, {})).job
    async with running_executor(settings_for(database)):
        await eventually(lambda: _attempted(client, job.id), within=10)
    return await client.get(job.id)


async def _attempted(client: AsyncClient, job_id: int) -> bool:
    job = await client.get(job_id)
    return bool(job.attempted_at) and job.state != JobState.RUNNING


async def test_a_hook_sees_every_ending_before_it_is_written(client: AsyncClient, database: str) -> None:
    seen: list[tuple[str, str]] = []

    @riverrun.on_end()
    def see(ctx: Context, outcome: Outcome) -> None:
        seen.append((ctx.job.kind, type(outcome).__name__))
        ctx.update({"seen": True})

    for kind in ("noop", "fail", "snooze", "cancel", "slow", "unheard"):
        job = await finished(client, database, kind)
        assert job.metadata["seen"] is True

    assert list(dict.fromkeys(seen)) == [  # a failed job may have run once more meanwhile
        ("noop", "Completed"),
        ("fail", "Failed"),
        ("snooze", "Snoozed"),
        ("cancel", "Cancelled"),
        ("slow", "Failed"),
        ("unheard", "Failed"),
    ]


async def test_an_error_handler_overrides_what_would_be_retried(client: AsyncClient, database: str) -> None:
    @riverrun.on_error("fail")
    def give_up(ctx: Context, failure: Failed) -> Outcome:
        return Cancelled(f"given up: {failure.error}")

    @riverrun.on_error("slow")
    async def later(ctx: Context, failure: Failed) -> Outcome:
        return Snoozed(timedelta(hours=1))

    given_up, put_off = await finished(client, database, "fail"), await finished(client, database, "slow")

    assert given_up.state == JobState.CANCELLED
    assert given_up.errors[0].error == "JobCancelError: given up: Unhappy: no"
    assert (put_off.state, put_off.attempt) == (JobState.SCHEDULED, 0)


async def test_a_middleware_runs_around_functions_in_threads_too(client: AsyncClient, database: str) -> None:
    tenant: ContextVar[str] = ContextVar("tenant", default="nobody")

    @riverrun.handler("whose")
    def whose() -> str:
        return tenant.get()

    @riverrun.middleware("whose")
    async def enter(ctx: Context, work: Work) -> Outcome:
        tenant.set("acme")
        return await work()

    assert (await finished(client, database, "whose")).metadata["output"] == "acme"


async def test_the_policy_of_a_kind_counts_for_errors_and_for_timeouts(client: AsyncClient, database: str) -> None:
    @riverrun.handler("patient", timeout=0.1, retry=[3600, 7200])
    async def out_of_time(ctx: Context) -> None:
        await asyncio.sleep(60)

    @riverrun.handler("choosy", retry=lambda job: job.args.get("wait", 1800))
    async def raise_() -> None:
        raise ValueError

    for kind, wait in (("patient", 3600), ("choosy", 1800)):
        job = await finished(client, database, kind)
        assert job.state == JobState.RETRYABLE
        assert wait - 60 < (job.scheduled_at - datetime.now(UTC)).total_seconds() <= wait


async def test_a_kind_has_other_names(client: AsyncClient, database: str) -> None:
    @riverrun.handler("mail:welcome", aliases=["welcome_mail", "greeting"])
    async def send(ctx: Context) -> str:
        return ctx.job.kind

    for kind in ("mail:welcome", "welcome_mail", "greeting"):
        assert (await finished(client, database, kind)).metadata["output"] == kind


@pytest.mark.parametrize("aliases", ["greeting", ["a b"], 3])
def test_what_is_no_other_name_is_refused(aliases: object) -> None:
    with pytest.raises(InvalidInput, match="aliases: "):
        riverrun.handler("email", aliases=aliases)  # type: ignore[arg-type]  # what is not typed must be refused too


def stamp(job: JobSpec) -> None:
    """Add what every job of a client is to have."""
    job["metadata"] = {**(job.get("metadata") or {}), "tenant": "acme"}
    job.setdefault("queue", "mail")


async def test_a_hook_of_the_client_sees_each_job_before_it_is_checked(database: str) -> None:
    given: JobSpec = {"kind": "email", "args": {}, "queue": "other"}
    async with AsyncClient(database, hooks=[stamp]) as client:
        one = (await client.enqueue("email", {}, metadata={"own": 1})).job
        (many,) = await client.enqueue_many([given])
        copied = await client.copy_in([{"kind": "email", "args": {}}])
        page = await client.list()

    assert (one.queue, one.metadata) == ("mail", {"own": 1, "tenant": "acme"})
    assert (many.job.queue, many.job.metadata) == ("other", {"tenant": "acme"})
    assert given == {"kind": "email", "args": {}, "queue": "other"}
    assert copied == 1
    assert [job.metadata["tenant"] for job in page.jobs] == ["acme"] * 3


async def test_what_a_hook_spoils_is_refused_and_what_it_raises_stops_the_enqueue(database: str) -> None:
    def spoil(job: JobSpec) -> None:
        job["priority"] = 12

    def refuse(job: JobSpec) -> None:
        raise PermissionError(job["kind"])

    def invent(job: JobSpec) -> None:
        job["colour"] = "red"  # type: ignore[typeddict-unknown-key]  # what is not typed must be refused too

    for hook, refused in ((spoil, "priority: 12"), (refuse, "email"), (invent, "colour: ")):
        async with AsyncClient(database, hooks=[hook]) as client:
            for enqueue in (
                client.enqueue("email", {}),
                client.enqueue_many([{"kind": "email", "args": {}}]),
            ):
                with pytest.raises((InvalidInput, PermissionError), match=refused):
                    await enqueue
            assert (await client.list()).jobs == []


async def test_middleware_of_the_client_runs_around_its_enqueues(database: str) -> None:
    ran: list[str] = []

    async def outer(jobs: Sequence[NewJob], enqueue: Enqueue) -> Results:
        ran.append(f"outer {len(jobs)}")
        results = await enqueue(jobs)
        ran.append(f"outer {[result.job.kind for result in results]}")
        return results

    async def inner(jobs: Sequence[NewJob], enqueue: Enqueue) -> Results:
        ran.append("inner")
        return await enqueue([job._replace(queue="moved") for job in jobs])

    async with AsyncClient(database, middleware=[outer, inner]) as client:
        job = (await client.enqueue("email", {})).job
        await client.enqueue_many([{"kind": "a1", "args": {}}, {"kind": "b2", "args": {}}])

    assert job.queue == "moved"
    assert ran == ["outer 1", "inner", "outer ['email']", "outer 2", "inner", "outer ['a1', 'b2']"]


def test_middleware_of_the_blocking_client_is_a_plain_function(database: str) -> None:
    ran: list[int] = []

    def count(jobs: Sequence[NewJob], enqueue: SyncEnqueue) -> Results:
        ran.append(len(jobs))
        return enqueue(jobs)

    with Client(database, middleware=[count], hooks=[stamp]) as client:
        assert client.enqueue("email", {}).job.queue == "mail"
        client.enqueue_many([{"kind": "email", "args": {}}] * 2)

    assert ran == [1, 2]
