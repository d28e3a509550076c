"""What a lost connection to the database costs an executor's jobs: nothing, and little time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from riverrun import AsyncClient, JobState
from riverrun_executor.executor import Executor
from support import handlers
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.proxy import Proxy

pytestmark = pytest.mark.every_postgres


@pytest.fixture(autouse=True)
async def closed_gate() -> None:
    """Let every test begin with the gate closed."""
    handlers.gate.close()


async def _is(client: AsyncClient, job_id: int, state: JobState) -> bool:
    return (await client.get(job_id)).state == state


async def test_a_killed_connection_costs_no_job(client: AsyncClient, database: str) -> None:
    async with running_executor(settings_for(database)) as executor:
        jobs = [result.job for result in await client.enqueue_many([{"kind": "gate", "args": {}} for _ in range(5)])]
        await eventually(lambda: len(executor.executor.running()) == 5, within=10)
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'riverrun/executor%' AND pid <> pg_backend_pid()"
            )
        handlers.gate.open()
        more = (await client.enqueue("noop", {})).job
        for job in (*jobs, more):
            await eventually(lambda job_id=job.id: _is(client, job_id, JobState.COMPLETED), within=10)

    assert [(await client.get(job.id)).attempt for job in jobs] == [1] * 5


@asynccontextmanager
async def fallen_silent(client: AsyncClient, database: str) -> AsyncIterator[tuple[Executor, int]]:
    """Give an executor that runs a job, and the job's id, once its connections carry nothing; new ones do."""
    with Proxy(database) as proxy:
        async with running_executor(settings_for(proxy.dsn)) as running:
            job = (await client.enqueue("gate", {})).job
            await eventually(running.executor.running, within=10)
            proxy.half_open()
            yield running.executor, job.id


async def test_what_has_ended_is_written_soon_although_the_old_connections_stay_open_and_carry_nothing(
    client: AsyncClient, database: str
) -> None:
    async with fallen_silent(client, database) as (_, job_id):
        handlers.gate.open()

        await eventually(lambda: _is(client, job_id, JobState.COMPLETED), within=8)

    assert (await client.get(job_id)).attempt == 1


async def test_a_cancellation_is_obeyed_soon_although_the_old_connections_stay_open_and_carry_nothing(
    client: AsyncClient, database: str
) -> None:
    async with fallen_silent(client, database) as (executor, job_id):
        await client.cancel(job_id)

        await eventually(lambda: not executor.running(), within=8)


def crash(database: str, change: str, *args: object) -> None:
    """Leave the database as a crash of the server does that has lost ``change``, and end the sessions of executors."""
    with psycopg.connect(database) as conn:
        conn.execute(change.encode(), args)
        conn.execute("TRUNCATE riverrun_recovery")
        conn.commit()
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'riverrun/executor%'"
        )


async def test_a_claim_that_a_crash_of_the_server_has_undone_is_made_again_before_others_can_claim_the_job(
    client: AsyncClient, database: str
) -> None:
    jobs = [result.job.id for result in await client.enqueue_many([{"kind": "gate", "args": {}}] * 10)]

    async with running_executor(settings_for(database)) as one, running_executor(settings_for(database)) as other:
        executors = [one.executor, other.executor]
        await eventually(lambda: sum(len(executor.running()) for executor in executors) == len(jobs), within=10)
        before = [set(executor.running()) for executor in executors]
        starts = [(await client.get(job)).attempted_at for job in jobs]
        await eventually(lambda: _both_live(database), within=10)
        crash(
            database,
            "UPDATE river_job SET state = 'available', attempt = 0, attempted_at = NULL, attempted_by = NULL",
        )

        more = (await client.enqueue("noop", {})).job.id
        await eventually(lambda: _is(client, more, JobState.COMPLETED), within=10)
        assert [set(executor.running()) for executor in executors] == before
        assert [(await client.get(job)).attempted_at for job in jobs] == starts
        handlers.gate.open()
        for job in jobs:
            await eventually(lambda job=job: _is(client, job, JobState.COMPLETED), within=10)

    rows = [await client.get(job) for job in jobs]
    assert [(row.attempt, len(row.attempted_by), len(row.errors)) for row in rows] == [(1, 1, 0)] * len(jobs)


def _both_live(database: str) -> bool:
    with psycopg.connect(database) as conn:
        return conn.execute("SELECT count(*) FROM riverrun_executor WHERE lease_until > now()").fetchone() == (2,)


async def test_an_end_is_written_although_a_crash_of_the_server_has_undone_the_claim_before_it(
    client: AsyncClient, database: str
) -> None:
    with Proxy(database) as proxy:
        async with running_executor(settings_for(proxy.dsn)) as running:
            job = (await client.enqueue("gate", {})).job
            await eventually(running.executor.running, within=10)
            start = (await client.get(job.id)).attempted_at
            proxy.refuse()
            handlers.gate.open()
            await eventually(lambda: not running.executor.running(), within=10)
            crash(
                database,
                "UPDATE river_job SET state = 'available', attempt = 0, attempted_at = NULL, attempted_by = NULL",
            )
            proxy.heal()

            await eventually(lambda: _is(client, job.id, JobState.COMPLETED), within=10)

    row = await client.get(job.id)
    assert (row.attempt, row.attempted_at) == (1, start)


async def test_a_handler_is_stopped_when_somebody_has_got_its_job_after_a_crash_of_the_server(
    client: AsyncClient, database: str
) -> None:
    undone, kept = [result.job for result in await client.enqueue_many([{"kind": "gate", "args": {}}] * 2)]

    async with running_executor(settings_for(database)) as executor:
        await eventually(lambda: len(executor.executor.running()) == 2, within=10)
        crash(
            database, "UPDATE river_job SET attempted_at = now(), attempted_by = '{another}' WHERE id = %s", undone.id
        )

        await eventually(lambda: set(executor.executor.running()) == {kept.id}, within=10)
        handlers.gate.open()

    assert (await client.get(undone.id)).state == JobState.RUNNING
    assert (await client.get(kept.id)).state == JobState.COMPLETED
