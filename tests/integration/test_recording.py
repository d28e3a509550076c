"""What a handler records with its job while it runs: log, metadata, steps, and all of it in its own transaction."""

from __future__ import annotations

from copy import copy
from datetime import timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient, Client, InvalidInput, Job, JobState, NotFound, StaleAttempt
from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.database.statements import Statements
from riverrun.store import attempts
from riverrun_executor.floors import NOWHERE
from support import handlers
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.jobs import ago, insert
from support.queries import value

ME = "host-1_4711_0a1b2c3d"
FAILS_ONCE = """
CREATE SEQUENCE tries;
CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF nextval('tries') = 1 THEN RAISE EXCEPTION 'not now'; END IF; RETURN new; END $$;
CREATE TRIGGER fail_once BEFORE UPDATE ON river_job
FOR EACH ROW WHEN (old.state = 'running' AND new.state = 'running') EXECUTE FUNCTION fail_once()
"""
HOLDS_BACK = """
CREATE FUNCTION hold_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now'; END $$;
CREATE TRIGGER hold_back BEFORE UPDATE ON river_job
FOR EACH ROW WHEN (old.state = 'running' AND new.state = 'running' AND NOT new.metadata ? 'cancel_attempted_at')
EXECUTE FUNCTION hold_back()
"""
Connection = AsyncConnection[TupleRow]


@pytest.fixture(autouse=True)
async def closed_gate() -> None:
    """Let every test begin with the gate closed."""
    handlers.gate.close()


async def attempt(client: AsyncClient, conn: Connection, job_id: int) -> Context:
    """Claim a job and return the context of its attempt."""
    claim = attempts.claim("default", slots=10, incarnation=ME, floors_us=NOWHERE.us, floor_ids=NOWHERE.ids)
    claimed: list[ClaimedJob] = await Statements().run(conn, claim)
    (job,) = [job for job in claimed if job.id == job_id]
    return Context(job, server_id="host-1", incarnation=ME, statements=Statements())


async def ended(client: AsyncClient, job_id: int, times: int = 1) -> Job:
    job = await client.get(job_id)
    assert job.attempt == times
    assert job.state != JobState.RUNNING
    return job


async def test_what_was_noted_is_written_again_when_its_first_write_failed(
    client: AsyncClient, database: str, conn: Connection
) -> None:
    await conn.execute(FAILS_ONCE)
    job = (await client.enqueue("gate", {})).job

    async def is_shown() -> bool:
        return (await client.get(job.id)).metadata.get("riverrun:progress") == {"fraction": 0.25, "note": "waiting"}

    async with running_executor(settings_for(database)):
        await eventually(is_shown, within=10)

    assert await value(conn, "SELECT last_value > 1 FROM tries")


async def test_notes_of_a_job_whose_row_is_held_wait_for_it_and_keep_nothing_else_waiting(
    client: AsyncClient, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    held = (await client.enqueue("gate", {})).job.id

    async def is_late_noted() -> bool:
        return (await client.get(held)).metadata.get("late") is True

    async with running_executor(settings_for(database)) as executor, await AsyncConnection.connect(database) as holder:
        await eventually(lambda: is_noted(client, held), within=10)
        await holder.execute("SELECT FROM river_job WHERE id = %s FOR UPDATE", (held,))
        executor.executor._runner.running[held].context.update({"late": True})
        for _ in range(3):
            other = (await client.enqueue("gate", {})).job.id
            await eventually(lambda other=other: is_noted(client, other), within=2.5)
            await client.cancel(other)
            await eventually(lambda other=other: ended(client, other), within=2.5)
        assert not await is_late_noted()
        await holder.rollback()
        await eventually(is_late_noted, within=5)

    assert "control_failed" not in caplog.messages


async def is_noted(client: AsyncClient, job_id: int) -> bool:
    return "riverrun:progress" in (await client.get(job_id)).metadata


async def test_notes_that_are_refused_keep_no_cancellation_waiting(
    client: AsyncClient, database: str, conn: Connection
) -> None:
    await conn.execute(HOLDS_BACK)
    ids = [(await client.enqueue("gate", {})).job.id for _ in range(3)]

    async with running_executor(settings_for(database)) as executor:
        await eventually(lambda: len(executor.executor.running()) == 3, within=10)
        for job_id in ids:
            await client.cancel(job_id)
            await eventually(lambda job_id=job_id: ended(client, job_id), within=2.5)


async def test_the_log_of_an_attempt_is_seen_while_it_runs_and_each_attempt_adds_its_own(
    client: AsyncClient, database: str
) -> None:
    job = (await client.enqueue("chatter", {"fail": True})).job

    async with running_executor(settings_for(database)):
        await eventually(lambda: _logged(client, job.id, 1), within=10)
        assert (await client.get(job.id)).state == JobState.RUNNING
        handlers.gate.open()
        await eventually(lambda: ended(client, job.id), within=10)
        await client.retry(job.id)
        await eventually(lambda: ended(client, job.id, times=2), within=10)

    entries = (await client.get(job.id)).metadata["river:log"]
    assert [entry["attempt"] for entry in entries] == [1, 2]
    assert [line.split(" ", 1)[1] for line in entries[0]["log"].splitlines()] == [
        "WARNING before_the_gate step=1",
        "WARNING behind_the_gate",
    ]


async def _logged(client: AsyncClient, job_id: int, entries: int) -> bool:
    return len((await client.get(job_id)).metadata["river:log"]) == entries


async def test_a_retried_job_goes_on_behind_its_last_finished_step(client: AsyncClient, database: str) -> None:
    job = (await client.enqueue("in_steps", {"fail_at": 3})).job

    async with running_executor(settings_for(database)):
        await eventually(lambda: ended(client, job.id), within=10)
        first = await client.get(job.id)
        await client.retry(job.id)
        await eventually(lambda: ended(client, job.id, times=2), within=10)

    assert first.metadata["river:resumable_step"] == "prepare"
    assert first.metadata["river:resumable_cursor"] == {"copy": 3}
    assert first.metadata["ran"] == ["prepare", 0, 1, 2, 3]
    second = await client.get(job.id)
    assert second.state == JobState.COMPLETED
    assert second.metadata["ran"] == [4, 5, "finish"]


async def test_steps_that_are_left_out_of_a_new_release_fail_the_attempt(client: AsyncClient, conn: Connection) -> None:
    job = (await client.enqueue("in_steps", {})).job
    await conn.execute("""UPDATE river_job SET metadata = '{"river:resumable_step": "gone"}'""")
    context = await attempt(client, conn, job.id)

    await handlers.in_steps({}, context)

    with pytest.raises(NotFound, match="resumable step 'gone'"):
        context.check_end()


async def test_metadata_is_updated_while_the_job_runs(client: AsyncClient, conn: Connection) -> None:
    job = (await client.enqueue("noop", {}, metadata={"kept": 1, "rows": 0})).job
    context = await attempt(client, conn, job.id)

    context.update({"rows": 12, 'odd " name': [1]})
    with pytest.raises(InvalidInput, match=r"metadata\.river:log"):
        context.update({"river:log": []})
    await Statements().run(conn, attempts.note([(context.job, context.take_notes() or "")], ME))

    assert (await client.get(job.id)).metadata == {"kept": 1, "rows": 12, 'odd " name': [1]}


async def test_what_is_saved_in_a_transaction_stands_and_falls_with_it(
    client: AsyncClient, conn: Connection, database: str
) -> None:
    job = (await client.enqueue("noop", {})).job
    context = await attempt(client, conn, job.id)

    async def copy(own: Connection) -> None:
        for row in (1, 2):
            context.output({"row": row})
            await context.save_in(own, cursor=row)
            await (own.commit() if row == 1 else own.rollback())

    async with await AsyncConnection.connect(database) as own:
        await context.step("outer", within, context, copy, own)

    assert (await client.get(job.id)).metadata == {"output": {"row": 1}, "river:resumable_cursor": {"copy": 1}}


async def within(context: Context, copy: Any, own: Connection) -> None:
    await context.step("copy", copy, own)


async def test_an_attempt_that_has_lost_its_job_saves_nothing(
    client: AsyncClient, conn: Connection, database: str
) -> None:
    job = (await client.enqueue("noop", {})).job
    context = await attempt(client, conn, job.id)
    await conn.execute("UPDATE river_job SET attempt = attempt + 1")
    context.output("late")

    async with await AsyncConnection.connect(database) as own:
        with pytest.raises(StaleAttempt):
            await context.save_in(own)
    with pytest.raises(InvalidInput, match="expected one within a transaction"):
        await context.save_in(conn)

    assert "output" not in (await client.get(job.id)).metadata


async def test_a_handler_that_does_not_hear_that_its_job_was_made_to_look_young_saves_and_completes_it(
    client: AsyncClient, conn: Connection, database: str
) -> None:
    await insert(conn, "river_leader", leader_id="go", elected_at=ago("1 second"), expires_at=ago("-60 seconds"))
    job = (await client.enqueue("noop", {})).job
    context = await attempt(client, conn, job.id)
    await Statements().run(conn, attempts.refresh([copy(context.job)], ME, older_than=timedelta()))
    assert (await client.get(job.id)).attempted_at != context.job.attempted_at

    async with await AsyncConnection.connect(database) as own:
        context.output("saved")
        await context.save_in(own)
        await own.commit()
        await context.complete_in(own)

    done = await client.get(job.id)
    assert (done.state, done.metadata["output"]) == (JobState.COMPLETED, "saved")


async def test_a_job_is_updated_from_outside_whatever_its_state(client: AsyncClient, database: str) -> None:
    job = (await client.enqueue("noop", {}, metadata={"kept": 1})).job

    changed = await client.update(job.id, output={"n": 12345678901234567890123}, metadata={"more": None})

    assert changed.metadata == {"kept": 1, "more": None, "output": {"n": 12345678901234567890123}}
    await client.cancel(job.id)
    with Client(database) as blocking:
        assert blocking.update(job.id, output=None).metadata["output"] is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "output: nothing is given; expected at least one of output, metadata"),
        ({"state": "completed"}, "state: 'state' is not allowed; expected one of output, metadata"),
        ({"metadata": {"riverrun:x": 1}}, "metadata.riverrun:x"),
        ({"metadata": [1]}, "metadata: 'list' is not allowed"),
    ],
)
async def test_what_may_not_be_changed_is_refused(client: AsyncClient, changes: Any, said: str) -> None:
    job = (await client.enqueue("noop", {})).job

    with pytest.raises(InvalidInput) as refused:
        await client.update(job.id, **changes)

    assert str(refused.value).startswith(said)


async def test_a_job_that_is_not_there_cannot_be_updated(client: AsyncClient) -> None:
    with pytest.raises(NotFound, match="job 1 does not exist"):
        await client.update(1, output=1)
