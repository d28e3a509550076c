"""Attempts as River's clients expect to find them; each test is named after a scenario of River's suite."""

from __future__ import annotations

import functools
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient
from riverrun.outcome import Snoozed
from riverrun.transition import decide
from riverrun_executor import executor as executor_module
from riverrun_executor.handlers.local import LocalHandler
from support import handlers
from support.attempts import claimed
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.jobs import Row, insert, job, states
from support.queries import value

Connection = AsyncConnection[TupleRow]


async def attempted(client: AsyncClient, conn: Connection, database: str, kind: str, **options: Any) -> Row:
    """Enqueue a job, let it be tried once, and return its row."""
    job_id = (await client.enqueue(kind, options.pop("args", {}), **options)).job.id
    tried = f"SELECT attempted_at IS NOT NULL AND state <> 'running' FROM river_job WHERE id = {job_id}"
    async with running_executor(settings_for(database)):
        await eventually(lambda: value(conn, tried), within=10)
    return await job(conn, job_id)


async def test_single_implementation_worker_outcomes(client: AsyncClient, conn: Connection, database: str) -> None:
    cases: list[tuple[str, dict[str, Any], str, int]] = [
        ("noop", {}, "completed", 1),
        ("fail", {"max_attempts": 1}, "discarded", 1),
        ("retry", {"args": {"seconds": 60}}, "retryable", 1),
        ("cancel", {}, "cancelled", 1),
        ("snooze", {"args": {"seconds": 60}}, "scheduled", 0),
        ("snooze", {"args": {"seconds": 4}}, "available", 0),
    ]
    ids = [(await client.enqueue(kind, options.pop("args", {}), **options)).job.id for kind, options, _, _ in cases]
    async with running_executor(settings_for(database)):
        await eventually(lambda: value(conn, "SELECT bool_and(attempted_at IS NOT NULL) FROM river_job"), within=10)
        await eventually(lambda: value(conn, "SELECT bool_and(state <> 'running') FROM river_job"), within=10)

    for job_id, (_, _, state, attempt) in zip(ids, cases, strict=True):
        row = await job(conn, job_id)
        assert (row["state"], row["attempt"]) == (state, attempt)
        assert (row["finalized_at"] is not None) == (state in {"completed", "discarded", "cancelled"})
        assert len(row["errors"] or ()) == (1 if state in {"discarded", "retryable", "cancelled"} else 0)


async def test_panic_attempt_trace(client: AsyncClient, conn: Connection, database: str) -> None:
    row = await attempted(client, conn, database, "fail", args={"message": "broken <ä>"})

    (error,) = row["errors"]
    assert list(error) == ["at", "error", "trace", "attempt"]  # as jsonb keeps them; written in River's order
    assert (error["attempt"], error["error"]) == (1, "Unhappy: broken <ä>")
    assert datetime.fromisoformat(error["at"]) == row["attempted_at"]
    assert error["at"].endswith("Z")
    assert "Traceback (most recent call last)" in error["trace"]
    assert "raise Unhappy" in error["trace"]


@pytest.mark.parametrize(("errors", "seconds"), [(0, 1), (1, 16), (2, 81), (10, 14_641)])
async def test_default_retry_policy_schedule(
    client: AsyncClient, conn: Connection, database: str, errors: int, seconds: int
) -> None:
    job_id = (await client.enqueue("fail", {}, scheduled_at=datetime(2031, 1, 1, tzinfo=UTC))).job.id
    error = '{"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": "e", "trace": ""}'
    await conn.execute("UPDATE river_job SET errors = array_fill(%s::jsonb, ARRAY[%s::int])", (error, errors))

    await client.retry(job_id)
    before = datetime.now(UTC)
    async with running_executor(settings_for(database)):
        failed = "SELECT cardinality(errors) > %s FROM river_job"
        await eventually(lambda: value(conn, failed.replace("%s", str(errors))), within=10)

    row = await job(conn, job_id)
    # Due within five seconds, a job need not wait for the scheduler.
    assert row["state"] == ("available" if seconds <= 5 else "retryable")
    wait = (row["scheduled_at"] - before).total_seconds()
    assert 0.9 * seconds <= wait <= 1.1 * seconds + 10


async def test_mixed_unknown_kind_error(client: AsyncClient, conn: Connection, database: str) -> None:
    row = await attempted(client, conn, database, "nobody_knows_this")

    assert row["errors"][0]["error"] == "no handler is registered for kind 'nobody_knows_this' on test-host"
    # River discards at the last attempt; a job of an unknown kind waits here until somebody can run it.
    last = await attempted(client, conn, database, "nobody_knows_this", max_attempts=1)
    assert (last["state"], last["attempt"]) == ("scheduled", 0)


async def test_timeout_cancellation(client: AsyncClient, conn: Connection, database: str) -> None:
    row = await attempted(client, conn, database, "slow")

    assert (row["state"], row["attempt"]) == ("available", 1)
    assert row["errors"][0]["error"] == "the handler did not finish within 0.2 s"


async def test_stuck_job_detection(
    client: AsyncClient, conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = functools.partial(LocalHandler, stuck_after=timedelta(seconds=0.1))
    monkeypatch.setattr(executor_module, "LocalHandler", impatient)
    handlers.deaf.close()
    try:
        row = await attempted(client, conn, database, "deaf", max_attempts=1)
    finally:
        handlers.deaf.open()

    # The plain function goes on in its thread and keeps its slot; the job does not wait for it.
    assert (row["state"], row["errors"][0]["error"]) == ("discarded", "the handler did not finish within 0.1 s")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", 1),
        ('{"snoozes": 2}', 3),
        ('{"snoozes": 2.9}', 3),
        ('{"snoozes": -2.5}', -1),
        ('{"snoozes": 1e3}', 1001),
        ('{"snoozes": 9007199254740993}', 9007199254740994),
        ('{"snoozes": "4"}', 5),
        ('{"snoozes": "-7"}', -6),
        ('{"snoozes": "4.5"}', 1),
        ('{"snoozes": " 5"}', 1),
        ('{"snoozes": "abc"}', 1),
        ('{"snoozes": true}', 2),
        ('{"snoozes": false}', 1),
        ('{"snoozes": null}', 1),
        ('{"snoozes": [3]}', 1),
        ('{"snoozes": {"count": 3}}', 1),
    ],
)
def test_snooze_once_metadata_transition(before: str, after: int) -> None:
    job = claimed(metadata=before)

    final = decide(job, Snoozed(timedelta(minutes=1)), rng=random.Random(7))

    assert (final.state, final.attempt, final.error_json) == ("scheduled", job.attempt - 1, None)
    assert json.loads(final.metadata_patch_json or "{}") == {"snoozes": after}


async def test_hard_shutdown_soft_stop_classification(client: AsyncClient, conn: Connection, database: str) -> None:
    settings = settings_for(database, shutdown_wait=timedelta(0))
    for kind in ("gate", "sulky"):
        await client.enqueue(kind, {})
    async with running_executor(settings):
        await eventually(lambda: value(conn, "SELECT bool_and(state = 'running') FROM river_job"), within=10)

    interrupted, failed = await job(conn, 1), await job(conn, 2)
    assert (interrupted["state"], interrupted["attempt"], interrupted["errors"]) == ("available", 0, None)
    assert (interrupted["finalized_at"], interrupted["attempted_at"] is None) == (None, False)
    # Who answers the stop with an error of its own has failed.
    assert (failed["state"], failed["attempt"]) == ("available", 1)
    assert [error["error"] for error in failed["errors"]] == ["Unhappy: not like this"]


async def test_transactional_completion(client: AsyncClient, conn: Connection, database: str) -> None:
    await conn.execute("CREATE TABLE effect (job_id bigint NOT NULL)")
    row = await attempted(client, conn, database, "pay", args={"dsn": database})

    assert (row["state"], row["metadata"]["output"]) == ("completed", "paid")
    assert await value(conn, "SELECT count(*) FROM effect") == 1


async def test_output_of_thirty_two_megabytes_is_the_limit(
    client: AsyncClient, conn: Connection, database: str
) -> None:
    row = await attempted(client, conn, database, "huge")

    assert row["state"] == "completed"
    assert list(row["metadata"]["output"]) == ["riverrun:omitted"]


async def test_reserved_metadata_cross_engine(client: AsyncClient, conn: Connection, database: str) -> None:
    reserved = {
        "river:log": [{"attempt": 1, "log": "one\n"}],
        "river:periodic_job_id": "nightly",
        "river:rescue_count": 2,
        "river:resumable_cursor": {"second": {"at": 7}},
        "river:resumable_step": "first",
        "periodic": True,
        "workflow_id": "of another product",
    }
    job_id = await insert(conn, kind="greet", args='{"name": "Ada"}', metadata=json.dumps(reserved))
    async with running_executor(settings_for(database)):
        await eventually(lambda: value(conn, "SELECT state = 'completed' FROM river_job"), within=10)

    assert (await job(conn, job_id))["metadata"] == {**reserved, "output": {"text": "hello Ada"}}


async def test_resumable_retry(client: AsyncClient, conn: Connection, database: str) -> None:
    job_id = (await client.enqueue("peer_work", {"do": "resumable"})).job.id
    async with running_executor(settings_for(database)):
        await eventually(lambda: value(conn, "SELECT state = 'completed' FROM river_job"), within=15)

    row = await job(conn, job_id)
    assert [(error["attempt"], error["error"]) for error in row["errors"]] == [(1, "Unhappy: stop at seven")]
    # A completed job keeps what it had when it was claimed.
    assert row["metadata"]["river:resumable_step"] == "first"
    assert row["metadata"]["river:resumable_cursor"] == {"second": {"at": 7}}
    assert (row["attempt"], row["metadata"]["output"]) == (2, {"at": 7})


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("without a name", "step: '' is not allowed; expected a name"),
        ("twice", "step: 'one' is not allowed; expected a name that no other step of the attempt has"),
        ("a cursor outside", "cursor: None is not allowed; expected to be used within ctx.step(...)"),
        ("a cursor that is no JSON", "cursor"),
    ],
)
async def test_resumable_validation(client: AsyncClient, conn: Connection, database: str, how: str, said: str) -> None:
    row = await attempted(client, conn, database, "wrong_steps", args={"how": how}, max_attempts=1)

    assert row["state"] == "discarded"
    assert said in row["errors"][0]["error"]


async def test_resumable_validation_of_a_step_that_is_not_there_any_more(
    client: AsyncClient, conn: Connection, database: str
) -> None:
    job_id = await insert(
        conn, kind="peer_work", args='{"do": "resumable"}', metadata='{"river:resumable_step": "gone"}', max_attempts=1
    )
    async with running_executor(settings_for(database)):
        await eventually(lambda: value(conn, "SELECT state = 'discarded' FROM river_job"), within=10)

    row = await job(conn, job_id)
    assert "resumable step 'gone'" in row["errors"][0]["error"]
    assert "output" not in row["metadata"]


@pytest.mark.parametrize(("kind", "state"), [("peer_work", "discarded"), ("noop", "completed")])
async def test_resumable_validation_of_cursors_that_are_no_object(
    conn: Connection, database: str, kind: str, state: str
) -> None:
    await insert(conn, kind=kind, args='{"do": "resumable"}', metadata='{"river:resumable_cursor": []}', max_attempts=1)

    async with running_executor(settings_for(database)):
        await eventually(lambda: value(conn, f"SELECT state = '{state}' FROM river_job"), within=10)

    assert not await value(conn, "SELECT metadata ? 'output' FROM river_job")


async def test_completion_row_lock_wait(client: AsyncClient, conn: Connection, database: str) -> None:
    held = (await client.enqueue("gate", {})).job.id
    other = (await client.enqueue("gate", {})).job.id
    async with running_executor(settings_for(database)), await AsyncConnection.connect(database) as holder:
        await eventually(lambda: value(conn, "SELECT bool_and(state = 'running') FROM river_job"), within=10)
        await holder.execute("SELECT FROM river_job WHERE id = %s FOR UPDATE", (held,))

        handlers.gate.open()

        await eventually(
            lambda: value(conn, f"SELECT state = 'completed' FROM river_job WHERE id = {other}"), within=10
        )
        await holder.rollback()
        await eventually(lambda: value(conn, "SELECT bool_and(state = 'completed') FROM river_job"), within=10)


async def test_completion_transient_failure_retry(client: AsyncClient, conn: Connection, database: str) -> None:
    job_id = (await client.enqueue("gate", {})).job.id
    async with running_executor(settings_for(database)):
        await eventually(lambda: value(conn, "SELECT state = 'running' FROM river_job"), within=10)
        await conn.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN RAISE deadlock_detected; END$$;"
            " CREATE TRIGGER refuse BEFORE UPDATE ON river_job FOR EACH ROW WHEN (NEW.state = 'completed')"
            " EXECUTE FUNCTION refuse()"
        )
        handlers.gate.open()
        await eventually(lambda: value(conn, "SELECT sum(xact_rollback) > 0 FROM pg_stat_database"), within=10)

        await conn.execute("DROP TRIGGER refuse ON river_job")

        await eventually(lambda: value(conn, "SELECT state = 'completed' FROM river_job"), within=15)
    assert (await job(conn, job_id))["attempt"] == 1


ODD_ERRORS = (
    """{"error": "sparse", "extra": true}""",
    """{"at": "2024-01-02 03:04:05+00", "attempt": "1", "error": {"message": "boom"}, "trace": ["frame"]}""",
    "42",
)


async def test_claimed_row_decode_isolation(client: AsyncClient, conn: Connection, database: str) -> None:
    # What no client of ours would write, and what one of another language might have.
    await insert(conn, kind="noop", args="[1, 2]", metadata='{"snoozes": []}', errors=['{"at": 7}'])
    await insert(conn, kind="noop", args='"text"', tags=["a,b", ""])
    await insert(conn, kind="noop", errors=list(ODD_ERRORS))
    await insert(conn, kind="noop", metadata="[1]")
    await insert(conn, kind="fail", metadata='"text"', max_attempts=1)
    await client.enqueue("noop", {})
    before = await value(conn, "SELECT array_agg(errors::text) FROM river_job WHERE kind = 'noop'")

    async with running_executor(settings_for(database)):
        await eventually(lambda: value(conn, "SELECT bool_and(finalized_at IS NOT NULL) FROM river_job"), within=10)

    assert await states(conn) == ["completed"] * 4 + ["discarded", "completed"]
    assert await value(conn, "SELECT array_agg(errors::text) FROM river_job WHERE kind = 'noop'") == before
    assert [(await job(conn, job_id))["metadata"] for job_id in (4, 5)] == [[1], "text"]
    sparse, odd, number = (await client.get(3)).errors
    assert (sparse.at, sparse.attempt, sparse.error, sparse.trace) == (None, 0, "sparse", "")
    assert (odd.attempt, odd.error, odd.trace) == (1, '{"message":"boom"}', '["frame"]')
    assert (number.at, number.attempt, number.error) == (None, 0, "42")
    assert len((await client.list()).jobs) == 6


async def test_database_unavailable_reconnect(client: AsyncClient, conn: Connection, database: str) -> None:
    async with running_executor(settings_for(database)):
        await client.enqueue("noop", {})
        await eventually(lambda: value(conn, "SELECT bool_and(state = 'completed') FROM river_job"), within=10)
        await value(
            conn,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name LIKE 'riverrun/executor%' AND datname = current_database()",
        )

        await client.enqueue("noop", {})

        await eventually(lambda: value(conn, "SELECT bool_and(state = 'completed') FROM river_job"), within=20)


async def test_clock_boundary_scheduling(client: AsyncClient, conn: Connection, database: str) -> None:
    await insert(conn, kind="noop", scheduled_at=datetime(2126, 1, 1, tzinfo=UTC))
    await insert(conn, kind="noop", scheduled_at=datetime(1970, 1, 1, tzinfo=UTC))
    async with running_executor(settings_for(database)):
        await eventually(lambda: value(conn, "SELECT count(*) = 1 FROM river_job WHERE state = 'completed'"), within=10)

    assert await value(conn, "SELECT state FROM river_job WHERE id = 1") == "available"


async def test_rolling_deployment_same_protocol(client: AsyncClient, conn: Connection, database: str) -> None:
    async with running_executor(settings_for(database, server_id="old")) as old:
        await client.enqueue_many([{"kind": "noop", "args": {}} for _ in range(50)])
        async with running_executor(settings_for(database, server_id="new")):
            await old.drain()
            await client.enqueue_many([{"kind": "noop", "args": {}} for _ in range(50)])

            await eventually(lambda: value(conn, "SELECT bool_and(state = 'completed') FROM river_job"), within=20)

    assert await value(conn, "SELECT bool_and(attempt = 1 AND errors IS NULL) FROM river_job")
