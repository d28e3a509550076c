"""Control over River's channels and rows; each test is named after a scenario of River's conformance suite."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient, InvalidInput, JobState, NotFound
from riverrun.database.statements import Statements
from riverrun.messages import Control, Message, Wake
from riverrun.store import attempts
from riverrun_supervisor.wakeups import pass_on
from support import handlers
from support.announced import announcements
from support.attempts import STARTED_US, claimed
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.jobs import ago, insert, job
from support.queries import value

Connection = AsyncConnection[TupleRow]

CANCELLED = "JobCancelError: job cancelled remotely"


async def started(client: AsyncClient, conn: Connection, kind: str) -> int:
    """Enqueue a job and return its id once it runs."""
    job_id = (await client.enqueue(kind, {})).job.id
    await becomes(conn, job_id, "running")
    return job_id


async def becomes(conn: Connection, job_id: int, state: str, *, within: float = 10) -> None:
    await eventually(lambda: value(conn, f"SELECT state = '{state}' FROM river_job WHERE id = {job_id}"), within=within)


async def test_notification_payload_bytes(client: AsyncClient, conn: Connection, database: str) -> None:
    await insert(conn, "river_queue", name="one")
    async with announcements(database) as heard:

        async def told(action: Awaitable[Any]) -> list[tuple[str, str]]:
            await action
            return await heard()

        assert await told(client.enqueue("noop", {}, queue="two")) == [("river_insert", '{"queue": "two"}')]
        assert await told(client.cancel(1)) == [
            ("river_control", '{"action" : "cancel", "job_id" : 1, "queue" : "two"}')
        ]
        assert await told(client.pause_queue("one")) == [("river_control", '{"action":"pause","queue":"one"}')]
        assert await told(client.resume_queue("*")) == [("river_control", '{"action":"resume","queue":"*"}')]
        assert await told(client.set_queue_metadata("one", {"z": "<ä>", "a": 1})) == [
            (
                "river_control",
                r'{"action":"metadata_changed","metadata":{"z":"\u003cä\u003e","a":1},"queue":"one"}',
            )
        ]
        assert await told(client.request_resign()) == [
            ("river_leadership", '{"action":"request_resign","leader_id":""}')
        ]


async def test_cooperative_remote_cancellation(client: AsyncClient, conn: Connection, database: str) -> None:
    async with running_executor(settings_for(database)):
        job_id = await started(client, conn, "gate")

        assert (await client.cancel(job_id)).state == JobState.RUNNING

        await becomes(conn, job_id, "cancelled")
    row = await job(conn, job_id)
    assert [error["error"] for error in row["errors"]] == [CANCELLED]
    assert (row["attempt"], set(row["metadata"])) == (1, {"cancel_attempted_at", "riverrun:progress"})


async def test_ignored_cancellation_hard_abort(client: AsyncClient, conn: Connection, database: str) -> None:
    async with running_executor(settings_for(database)):
        job_id = await started(client, conn, "stubborn")

        await client.cancel(job_id)

        # As in River: who ignores the request and succeeds has succeeded; the request stays in the metadata.
        await becomes(conn, job_id, "completed")
    assert "cancel_attempted_at" in (await job(conn, job_id))["metadata"]


async def test_claim_time_cancellation(client: AsyncClient, conn: Connection, database: str) -> None:
    job_id = (await client.enqueue("gate", {}, metadata={"cancel_attempted_at": "2026-01-01T00:00:00Z"})).job.id

    async with running_executor(settings_for(database)):
        # The claim has just been committed when the request arrives: nobody is told, the row says it.
        await becomes(conn, job_id, "cancelled")

    assert (await job(conn, job_id))["errors"][0]["error"] == CANCELLED


async def test_refetched_attempt_cancellation(client: AsyncClient, conn: Connection, database: str) -> None:
    async with running_executor(settings_for(database)):
        job_id = await started(client, conn, "gate")
        handlers.gate.open()
        await becomes(conn, job_id, "completed")
        handlers.gate.close()
        await client.retry(job_id)
        await becomes(conn, job_id, "running")

        await client.cancel(job_id)

        await becomes(conn, job_id, "cancelled")
    row = await job(conn, job_id)
    assert (row["attempt"], row["errors"][0]["attempt"]) == (2, 2)


async def test_shutdown_after_cancel_attempt(client: AsyncClient, conn: Connection, database: str) -> None:
    settings = settings_for(database, shutdown_wait=timedelta(0))
    async with running_executor(settings):
        job_id = await started(client, conn, "gate")
        await conn.execute("""UPDATE river_job SET metadata = '{"cancel_attempted_at": "2026-01-01T00:00:00Z"}'""")

    # Given back, it would run again; only the row knows that it must not.
    assert (await job(conn, job_id))["state"] == "cancelled"


async def test_lost_notification_poll_recovery(client: AsyncClient, conn: Connection, database: str) -> None:
    async with running_executor(settings_for(database)):  # without a supervisor nobody listens for it
        job_id = await started(client, conn, "gate")
        await conn.execute('UPDATE river_job SET metadata = metadata || \'{"cancel_attempted_at": "now"}\'')

        await becomes(conn, job_id, "cancelled")


async def test_listener_backend_disconnect_reconnect(client: AsyncClient, conn: Connection, database: str) -> None:
    told: list[Message] = []
    listening = asyncio.create_task(pass_on(database, None, told.append), name="listening")
    try:
        await eventually(lambda: told == [Wake("*")], within=10)
        ended = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%supervisor/listen'"
        )
        assert await value(conn, ended)

        await eventually(lambda: told == [Wake("*"), Wake("*")], within=10)
        await client.cancel((await client.enqueue("noop", {})).job.id)

        await eventually(lambda: any(isinstance(message, Control) for message in told), within=10)
    finally:
        listening.cancel()


async def test_notification_only_wakeups(client: AsyncClient, conn: Connection, database: str) -> None:
    told: list[Message] = []
    async with running_executor(settings_for(database, poll_interval=timedelta(minutes=1))) as running:

        def tell(message: Message) -> None:
            told.append(message)
            if isinstance(message, Wake):
                running.executor._on_wake(message)

        listening = asyncio.create_task(pass_on(database, None, tell), name="listening")
        try:
            await eventually(lambda: told, within=10)
            await eventually(lambda: value(conn, "SELECT count(*) = 1 FROM river_queue"), within=10)

            job_id = (await client.enqueue("noop", {})).job.id

            await becomes(conn, job_id, "completed")
        finally:
            listening.cancel()
    assert Wake("default") in told


async def test_pause_resume_notification(client: AsyncClient, conn: Connection, database: str) -> None:
    async with running_executor(settings_for(database)):
        await eventually(lambda: value(conn, "SELECT count(*) = 1 FROM river_queue"), within=10)
        await client.pause_queue("default")
        paused = (await client.enqueue("noop", {})).job.id
        await client.enqueue("noop", {}, queue="other")
        async with running_executor(settings_for(database), queue="other"):
            await eventually(lambda: value(conn, "SELECT count(*) = 1 FROM river_job WHERE attempt = 1"), within=10)
        assert (await job(conn, paused))["state"] == "available"

        await client.resume_queue("default")

        await becomes(conn, paused, "completed")


async def test_differential_queue_crud(client: AsyncClient, conn: Connection) -> None:
    await insert(conn, "river_queue", name="one", updated_at=ago("1 hour"))

    described = await client.set_queue_metadata("one", {"owner": "us", "deep": {"n": 2**70}})

    assert described.metadata == {"owner": "us", "deep": {"n": 2**70}}
    assert described.updated_at > described.created_at
    assert (await client.get_queue("one")) == described
    await client.pause_queue("one")
    first = (await client.get_queue("one")).paused_at
    await client.pause_queue("one")
    assert (await client.get_queue("one")).paused_at == first is not None
    await client.resume_queue("one")
    assert (await client.get_queue("one")).paused_at is None


async def test_queue_metadata_that_no_notification_could_carry_is_refused(
    client: AsyncClient, conn: Connection
) -> None:
    await insert(conn, "river_queue", name="one")

    with pytest.raises(InvalidInput, match="metadata: 7012 is not allowed; expected at most 7000 bytes"):
        await client.set_queue_metadata("one", {"owner": "x" * 7_000})

    assert (await client.get_queue("one")).metadata == {}


async def test_queue_names_and_unknown_queue_control(client: AsyncClient, conn: Connection) -> None:
    for name in ("a", "a|b", "0", "a_b-c|d", "x" * 64):
        assert (await client.enqueue("noop", {}, queue=name)).job.queue == name
    for name in ("", "A", "a__b", "-a", "a-", "x" * 65, "*"):
        with pytest.raises(InvalidInput, match="queue"):
            await client.enqueue("noop", {}, queue=name)
    for action in (client.pause_queue, client.resume_queue, client.get_queue):
        with pytest.raises(NotFound, match="queue nobody does not exist"):
            await action("nobody")
    await client.pause_queue("*")
    assert await value(conn, "SELECT count(*) FROM river_queue") == 0


@pytest.mark.parametrize("name", ["Mail.Outgoing:high", "a__b", "x" * 127])
async def test_a_queue_that_the_client_for_ruby_has_made_is_found_and_controlled(
    client: AsyncClient, conn: Connection, name: str
) -> None:
    await insert(conn, "river_queue", name=name)
    job_id = await insert(conn, queue=name)

    await client.pause_queue(name)
    assert (await client.get_queue(name)).paused_at is not None
    assert (await client.set_queue_metadata(name, {"owner": "us"})).metadata == {"owner": "us"}
    await client.resume_queue(name)
    assert (await client.get_queue(name)).paused_at is None
    assert [found.id for found in (await client.list(queue=name)).jobs] == [job_id]
    with pytest.raises(InvalidInput, match="queue"):
        await client.enqueue("noop", {}, queue=name)


async def test_transactional_queue_operations(client: AsyncClient, conn: Connection, database: str) -> None:
    await insert(conn, "river_queue", name="one")
    async with announcements(database) as heard, await AsyncConnection.connect(database) as own:
        await client.pause_queue("one", conn=own)
        await client.set_queue_metadata("one", {"owner": "us"}, conn=own)
        assert (await client.get_queue("one", conn=own)).paused_at is not None
        await own.rollback()
        assert await heard() == []
        assert (await client.get_queue("one")).paused_at is None

        await client.pause_queue("one", conn=own)
        await own.commit()

        assert len(await heard()) == 1


async def test_transactional_insert_notification_commit_only(client: AsyncClient, database: str) -> None:
    async with announcements(database) as heard, await AsyncConnection.connect(database) as own:
        await client.enqueue("noop", {}, conn=own)
        await client.enqueue("noop", {}, conn=own)
        assert await heard() == []

        await own.commit()

        assert await heard() == [("river_insert", '{"queue": "default"}')]


async def test_external_terminal_completion_race(client: AsyncClient, conn: Connection, database: str) -> None:
    async with running_executor(settings_for(database)):
        job_id = await started(client, conn, "gate_output")
        await conn.execute("UPDATE river_job SET state = 'discarded', finalized_at = now()")

        handlers.gate.open()

        # The state stays as somebody else has set it; what the handler left is kept with it.
        await eventually(lambda: value(conn, "SELECT metadata ->> 'output' = 'left' FROM river_job"), within=10)
    row = await job(conn, job_id)
    assert (row["state"], row["errors"], row["attempt"]) == ("discarded", None, 1)


async def test_long_jobs_look_young_while_a_client_of_river_leads(
    client: AsyncClient, conn: Connection, database: str
) -> None:
    await insert(conn, "river_leader", leader_id="go", elected_at=ago("1 second"), expires_at=ago("-60 seconds"))
    settings = settings_for(database, leadership="follow", job_timeout="1s", rescue_stuck_jobs_after="1s")
    began = "SELECT attempted_at FROM river_job"
    job_id = (await client.enqueue("gate_output", {}, timeout=60)).job.id
    async with running_executor(settings):
        await becomes(conn, job_id, "running")
        before = await value(conn, began)

        await eventually(lambda: _changed(conn, began, before), within=10)
        await conn.execute("DELETE FROM river_leader")
        handlers.gate.open()

        await becomes(conn, job_id, "completed")
    row = await job(conn, job_id)
    assert (row["attempt"], row["metadata"]["output"]) == (1, "left")
    assert row["metadata"]["riverrun:started_us"] == int(before.timestamp() * 1_000_000)


async def test_an_attempt_knows_its_job_although_the_answer_to_a_refresh_was_lost(
    client: AsyncClient, conn: Connection, database: str
) -> None:
    async with running_executor(settings_for(database)):
        job_id = await started(client, conn, "gate_output")
        await conn.execute(
            "UPDATE river_job SET attempted_at = now(), metadata = metadata || jsonb_build_object("
            "'riverrun:started_us', (extract(epoch FROM attempted_at) * 1000000)::bigint,"
            " 'riverrun:refreshed_us', (extract(epoch FROM now()) * 1000000)::bigint)"
        )

        handlers.gate.open()

        await becomes(conn, job_id, "completed")
    assert (await job(conn, job_id))["metadata"]["output"] == "left"


@pytest.mark.parametrize(("refreshed_us", "is_taken"), [(STARTED_US + 1, False), (STARTED_US, True)])
async def test_the_note_of_a_refresh_counts_for_the_attempt_that_it_was_written_for(
    conn: Connection, refreshed_us: int, *, is_taken: bool
) -> None:
    # The number of an attempt can occur twice, on the same executor as well; its start cannot.
    metadata = json.dumps({"riverrun:started_us": STARTED_US, "riverrun:refreshed_us": refreshed_us})
    moved = datetime.fromtimestamp(STARTED_US / 1_000_000, UTC) + timedelta(microseconds=1)
    await insert(conn, id=7, state="running", attempt=2, attempted_at=moved, attempted_by=["x"], metadata=metadata)
    attempt = claimed()

    taken = await Statements().run(conn, attempts.taken([attempt], "x"))

    assert (attempt in taken) == is_taken


async def _changed(conn: Connection, query: str, before: object) -> bool:
    return bool(await value(conn, query) != before)
