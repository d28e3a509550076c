"""Endings that the database does not take, for what they hold or because somebody holds their row, delay no others."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import AsyncConnection

from riverrun import AsyncClient, JobState
from support import handlers
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import RunningExecutor, running_executor

pytestmark = pytest.mark.every_postgres

Connection = AsyncConnection[tuple[Any, ...]]

REFUSES = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'not this one' USING ERRCODE = '{code}', DETAIL = 'it has ' || new.args::text; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON river_job FOR EACH ROW
WHEN (old.state = 'running' AND new.kind = 'gate_output' AND {condition}) EXECUTE FUNCTION refuse()
"""


@pytest.fixture(autouse=True)
async def closed_gate() -> None:
    """Let every test begin with the gate closed."""
    handlers.gate.close()


async def is_in(client: AsyncClient, job_id: int, state: JobState) -> bool:
    return (await client.get(job_id)).state == state


async def enqueue_together(client: AsyncClient) -> tuple[int, list[int]]:
    """Enqueue jobs that will end at once; return the one in their middle, and the others."""
    kinds = [*["gate"] * 4, "gate_output", *["gate"] * 4]
    ids = [
        result.job.id
        for result in await client.enqueue_many([{"kind": kind, "args": {"secret": "sesame"}} for kind in kinds])
    ]
    return ids.pop(4), ids


async def all_end(executor: RunningExecutor, client: AsyncClient, others: list[int]) -> None:
    """Let all nine end in one batch, and wait until ``others`` are written."""
    await eventually(lambda: len(executor.executor.running()) == 9, within=10)
    handlers.gate.open()
    for job_id in others:
        await eventually(lambda job_id=job_id: is_in(client, job_id, JobState.COMPLETED), within=5)


@pytest.mark.parametrize("code", ["P0001", "XX000", "MY001"])
async def test_an_ending_that_is_refused_whatever_it_holds_waits_alone_until_it_is_taken(
    client: AsyncClient, conn: Connection, database: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    await conn.execute(REFUSES.format(code=code, condition="true").encode())
    refused, others = await enqueue_together(client)

    async with running_executor(settings_for(database)) as executor:
        await all_end(executor, client, others)
        later = (await client.enqueue("noop", {})).job.id
        await eventually(lambda: is_in(client, later, JobState.COMPLETED), within=5)
        await eventually(lambda: executor.executor.held() == {refused}, within=5)
        await conn.execute("DROP TRIGGER refuse ON river_job")
        await eventually(lambda: is_in(client, refused, JobState.COMPLETED), within=10)

    job = await client.get(refused)
    assert (job.attempt, job.metadata["output"]) == (1, "left")
    assert "finalize_failed" not in caplog.messages
    assert "sesame" not in caplog.text


async def test_an_ending_that_is_refused_for_what_it_holds_fails_with_the_reason(
    client: AsyncClient, conn: Connection, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    await conn.execute(REFUSES.format(code="P0001", condition="new.state = 'completed'").encode())
    refused, others = await enqueue_together(client)

    async with running_executor(settings_for(database)) as executor:
        await all_end(executor, client, others)

        async def failed() -> bool:
            return bool((await client.get(refused)).errors)

        await eventually(failed, within=5)

    assert (await client.get(refused)).errors[0].error == "what the handler left could not be stored: not this one"
    assert "sesame" not in caplog.text


async def test_what_is_left_in_a_row_that_somebody_holds_keeps_no_other_ending_waiting(
    client: AsyncClient, conn: Connection, database: str
) -> None:
    job_id = (await client.enqueue("gate_output", {})).job.id

    async with running_executor(settings_for(database)) as executor, await AsyncConnection.connect(database) as holder:
        await eventually(executor.executor.running, within=10)
        await conn.execute("UPDATE river_job SET state = 'cancelled', finalized_at = now()")
        await holder.execute("SELECT FROM river_job WHERE id = %s FOR UPDATE", (job_id,))
        handlers.gate.open()
        for _ in range(3):
            other = (await client.enqueue("noop", {})).job.id
            await eventually(lambda other=other: is_in(client, other, JobState.COMPLETED), within=2)
        assert "output" not in (await client.get(job_id)).metadata
        await holder.rollback()

        async def left() -> bool:
            return (await client.get(job_id)).metadata.get("output") == "left"

        await eventually(left, within=5)

    assert await is_in(client, job_id, JobState.CANCELLED)


async def test_what_cannot_be_left_with_a_job_that_somebody_else_ended_keeps_no_other_ending_waiting(
    client: AsyncClient, conn: Connection, database: str
) -> None:
    ids = [(await client.enqueue("gate_output", {})).job.id for _ in range(3)]

    async with running_executor(settings_for(database)) as executor:
        await eventually(lambda: len(executor.executor.running()) == 3, within=10)
        await conn.execute("UPDATE river_job SET state = 'cancelled', finalized_at = now()")
        check = f"ALTER TABLE river_job ADD CHECK (id <> {ids[1]} OR NOT metadata ? 'output')"
        await conn.execute(check.encode())
        handlers.gate.open()
        await eventually(lambda: not executor.executor.held(), within=5)

    outputs = [(await client.get(job_id)).metadata.get("output") for job_id in ids]
    assert outputs == ["left", None, "left"]
