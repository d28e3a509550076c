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


async def test_a_handler_is_stopped_when_a_crash_of_the_server_has_undone_its_claim(
    client: AsyncClient, database: str
) -> None:
    undone, kept = [result.job for result in await client.enqueue_many([{"kind": "gate", "args": {}}] * 2)]

    async with running_executor(settings_for(database)) as executor:
        await eventually(lambda: len(executor.executor.running()) == 2, within=10)
        with psycopg.connect(database, autocommit=True) as conn:
            before = "state = 'available', attempt = 0, attempted_at = NULL, attempted_by = NULL"
            later = "scheduled_at = now() + interval '1 hour'"
            conn.execute(f"UPDATE river_job SET {before}, {later} WHERE id = %s".encode(), (undone.id,))
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'riverrun/executor%'"
            )

        await eventually(lambda: set(executor.executor.running()) == {kept.id}, within=10)
        handlers.gate.open()

    assert (await client.get(undone.id)).attempt == 0
    assert (await client.get(kept.id)).state == JobState.COMPLETED
