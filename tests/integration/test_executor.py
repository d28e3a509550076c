"""What becomes of a job when an executor runs it: every ending, with exactly the columns that change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection

from riverrun import AsyncClient, Job, JobState
from support import handlers
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor

pytestmark = pytest.mark.every_postgres


@pytest.fixture(autouse=True)
async def closed_gate() -> None:
    """Let every test begin with the gate closed."""
    handlers.gate.close()


async def finished(client: AsyncClient, database: str, kind: str, args: dict[str, Any], **options: Any) -> Job:
    """Enqueue a job, run it once, and return it as the attempt left it."""
    job = (await client.enqueue(kind, args, **options)).job
    async with running_executor(settings_for(database)):
        await eventually(lambda: _attempted(client, job.id), within=10)
    return await client.get(job.id)


async def _attempted(client: AsyncClient, job_id: int) -> bool:
    job = await client.get(job_id)
    return bool(job.attempted_at) and job.state != JobState.RUNNING


async def _is(client: AsyncClient, job_id: int, state: JobState) -> bool:
    return (await client.get(job_id)).state == state


async def test_a_job_that_succeeds_is_completed(client: AsyncClient, database: str) -> None:
    job = await finished(client, database, "noop", {})

    assert job.state == JobState.COMPLETED
    assert job.attempt == 1
    assert job.finalized_at is not None
    assert job.errors == ()
    assert job.attempted_by[-1].startswith("test-host_")


async def test_a_result_is_recorded_as_the_output(client: AsyncClient, database: str) -> None:
    job = await finished(client, database, "greet", {"name": "Ada"})

    assert job.metadata["output"] == {"text": "hello Ada"}


async def test_a_plain_function_runs_in_a_thread(client: AsyncClient, database: str) -> None:
    job = await finished(client, database, "greet_in_thread", {"name": "Ada"})

    assert job.state == JobState.COMPLETED
    assert job.metadata["output"] == "hello Ada"
    assert job.metadata["riverrun:progress"] == {"fraction": 0.5, "note": "half way"}


async def test_arguments_that_do_not_fit_the_type_fail_without_being_repeated(
    client: AsyncClient, database: str
) -> None:
    job = await finished(client, database, "greet", {"name": ["secret"]})

    assert job.state == JobState.AVAILABLE
    assert job.errors[0].error.startswith("invalid arguments: name:")
    assert "secret" not in job.errors[0].error


async def test_big_numbers_reach_a_handler_digit_by_digit(client: AsyncClient, database: str) -> None:
    job = await finished(client, database, "raw", {"big": 123456789012345678901234567890})

    assert job.metadata["output"] == {"text": '{"big": 123456789012345678901234567890}'}


async def test_a_failure_waits_for_its_retry(client: AsyncClient, database: str) -> None:
    before = datetime.now(UTC)

    job = await finished(client, database, "fail", {"message": "no luck"})

    assert job.state == JobState.AVAILABLE  # due within five seconds
    assert job.attempt == 1
    assert job.finalized_at is None
    assert job.errors[0].error == "Unhappy: no luck"
    assert job.errors[0].attempt == 1
    assert "support/handlers.py" in job.errors[0].trace
    assert "local.py" not in job.errors[0].trace
    assert timedelta(seconds=0.9) <= job.scheduled_at - before <= timedelta(seconds=8)


async def test_the_third_failure_waits_n_to_the_fourth_seconds(client: AsyncClient, database: str) -> None:
    job = (await client.enqueue("fail", {})).job
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        await conn.execute(
            "UPDATE river_job SET attempt = 2, errors = ARRAY["
            '\'{"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": "a", "trace": ""}\'::jsonb,'
            '\'{"at": "2026-01-01T00:00:00Z", "attempt": 2, "error": "b", "trace": ""}\'::jsonb]'
        )

    async with running_executor(settings_for(database)):
        await eventually(lambda: _is(client, job.id, JobState.RETRYABLE), within=10)

    job = await client.get(job.id)
    assert job.attempted_at is not None
    assert timedelta(seconds=72) <= job.scheduled_at - job.attempted_at <= timedelta(seconds=100)


async def test_the_last_failure_discards(client: AsyncClient, database: str) -> None:
    job = await finished(client, database, "fail", {}, max_attempts=1)

    assert job.state == JobState.DISCARDED
    assert job.finalized_at is not None
    assert len(job.errors) == 1


async def test_a_snooze_gives_the_attempt_back(client: AsyncClient, database: str) -> None:
    job = await finished(client, database, "snooze", {"seconds": 3600})

    assert job.state == JobState.SCHEDULED
    assert job.attempt == 0
    assert job.errors == ()
    assert job.metadata == {"snoozes": 1}
    assert job.attempted_at is not None
    assert timedelta(minutes=59) <= job.scheduled_at - job.attempted_at <= timedelta(minutes=61)


async def test_a_handler_can_cancel_its_job(client: AsyncClient, database: str) -> None:
    job = await finished(client, database, "cancel", {})

    assert job.state == JobState.CANCELLED
    assert job.finalized_at is not None
    assert job.errors[0].error == "JobCancelError: not wanted any more"


async def test_a_handler_can_choose_when_it_is_retried(client: AsyncClient, database: str) -> None:
    job = await finished(client, database, "retry", {"seconds": 600})

    assert job.state == JobState.RETRYABLE
    assert job.errors[0].error == "try later"
    assert job.attempted_at is not None
    assert timedelta(minutes=9) <= job.scheduled_at - job.attempted_at <= timedelta(minutes=11)


async def test_a_handler_that_runs_out_of_time_fails(client: AsyncClient, database: str) -> None:
    job = await finished(client, database, "slow", {})

    assert job.state == JobState.AVAILABLE
    assert job.errors[0].error == "the handler did not finish within 0.2 s"


async def test_a_job_may_bring_its_own_time_limit(client: AsyncClient, database: str) -> None:
    job = await finished(client, database, "gate", {}, timeout=0.15)

    assert job.errors[0].error == "the handler did not finish within 0.15 s"


async def test_a_thread_is_told_that_its_time_is_over(client: AsyncClient, database: str) -> None:
    job = await finished(client, database, "thread_gate", {}, timeout=0.2)

    assert job.state == JobState.COMPLETED  # it finished, late but well
    assert job.metadata["output"] == "stopped when told"


async def test_a_kind_without_a_handler_fails_and_blocks_nobody(client: AsyncClient, database: str) -> None:
    unknown = (await client.enqueue("nobody_knows", {})).job
    known = (await client.enqueue("noop", {})).job

    async with running_executor(settings_for(database), slots=1):
        await eventually(lambda: _is(client, known.id, JobState.COMPLETED), within=10)

    unknown = await client.get(unknown.id)
    assert unknown.state == JobState.AVAILABLE
    assert unknown.errors[0].error == "no handler is registered for kind 'nobody_knows' on test-host"


async def test_hostile_results_and_errors_are_stored_in_a_form_that_can_be(client: AsyncClient, database: str) -> None:
    output = await finished(client, database, "hostile", {})
    error = await finished(client, database, "hostile", {"raise": True})

    assert output.state == JobState.COMPLETED
    assert output.metadata["output"]["nan"] == "NaN"
    assert error.errors[0].error == "Unhappy: nul \ufffd and half a pair \ufffd"


async def test_a_running_job_is_cancelled_by_its_row(client: AsyncClient, database: str) -> None:
    job = (await client.enqueue("gate", {})).job

    async with running_executor(settings_for(database)):
        await eventually(lambda: _is(client, job.id, JobState.RUNNING), within=10)
        result = await client.cancel(job.id)
        assert result.state == JobState.RUNNING
        await eventually(lambda: _is(client, job.id, JobState.CANCELLED), within=10)

    job = await client.get(job.id)
    assert job.errors[0].error == "JobCancelError: job cancelled remotely"


async def test_a_handler_that_finishes_although_cancelled_completes(client: AsyncClient, database: str) -> None:
    job = (await client.enqueue("stubborn", {})).job

    async with running_executor(settings_for(database)):
        await eventually(lambda: _is(client, job.id, JobState.RUNNING), within=10)
        await client.cancel(job.id)
        await eventually(lambda: _is(client, job.id, JobState.COMPLETED), within=10)

    job = await client.get(job.id)
    assert job.metadata["output"] == "finished all the same"
    assert "cancel_attempted_at" in job.metadata


async def test_a_failure_after_a_cancellation_does_not_run_again(client: AsyncClient, database: str) -> None:
    job = (await client.enqueue("fail", {})).job
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        await conn.execute(
            "UPDATE river_job SET metadata = jsonb_build_object('cancel_attempted_at', now()) WHERE id = %s", (job.id,)
        )

    async with running_executor(settings_for(database)):
        await eventually(lambda: _is(client, job.id, JobState.CANCELLED), within=10)

    job = await client.get(job.id)
    assert job.finalized_at is not None
    assert len(job.errors) == 1


async def test_progress_is_shown_while_a_job_runs(client: AsyncClient, database: str) -> None:
    job = (await client.enqueue("gate", {})).job

    async def shown() -> bool:
        return (await client.get(job.id)).metadata.get("riverrun:progress") == {"fraction": 0.25, "note": "waiting"}

    async with running_executor(settings_for(database)):
        await eventually(shown, within=10)
        assert await _is(client, job.id, JobState.RUNNING)


async def test_a_drain_lets_short_jobs_finish(client: AsyncClient, database: str) -> None:
    job = (await client.enqueue("gate", {})).job

    async with running_executor(settings_for(database)) as executor:
        await eventually(lambda: _is(client, job.id, JobState.RUNNING), within=10)
        executor.context.draining.set()
        handlers.gate.open()
        await executor.task

    assert await _is(client, job.id, JobState.COMPLETED)


async def test_a_drain_gives_long_jobs_back_without_an_error(client: AsyncClient, database: str) -> None:
    job = (await client.enqueue("gate", {})).job

    async with running_executor(settings_for(database, shutdown_wait=timedelta(seconds=0.2))) as executor:
        await eventually(lambda: _is(client, job.id, JobState.RUNNING), within=10)
        await executor.drain()

    job = await client.get(job.id)
    assert job.state == JobState.AVAILABLE
    assert job.attempt == 0
    assert job.errors == ()


async def test_a_stale_attempt_cannot_finish_a_newer_one(client: AsyncClient, database: str) -> None:
    job = (await client.enqueue("gate", {})).job

    async with running_executor(settings_for(database)):
        await eventually(lambda: _is(client, job.id, JobState.RUNNING), within=10)
        async with await AsyncConnection.connect(database, autocommit=True) as conn:
            await conn.execute(
                "UPDATE river_job SET attempt = 2, attempted_at = now(), "
                "attempted_by = attempted_by || '{elsewhere}' WHERE id = %s",
                (job.id,),
            )
        handlers.gate.open()

    job = await client.get(job.id)
    assert job.state == JobState.RUNNING
    assert job.attempted_by[-1] == "elsewhere"


async def test_an_executor_holds_no_more_jobs_than_it_has_slots(client: AsyncClient, database: str) -> None:
    await client.enqueue_many([{"kind": "gate", "args": {}} for _ in range(10)])

    async with running_executor(settings_for(database), slots=3) as executor:
        await eventually(lambda: len(executor.executor.running()) == 3, within=10)
        async with await AsyncConnection.connect(database, autocommit=True) as conn:
            cursor = await conn.execute("SELECT count(*) FROM river_job WHERE state = 'running'")
            assert await cursor.fetchone() == (3,)


async def test_a_paused_queue_is_left_alone(client: AsyncClient, database: str) -> None:
    async with running_executor(settings_for(database)):
        first = (await client.enqueue("noop", {})).job
        await eventually(lambda: _is(client, first.id, JobState.COMPLETED), within=10)
        await client.pause_queue("default")
        second = (await client.enqueue("gate", {})).job
        third = (await client.enqueue("noop", {}, queue="default")).job
        await client.resume_queue("default")
        await eventually(lambda: _is(client, third.id, JobState.COMPLETED), within=10)

    assert not await _is(client, second.id, JobState.COMPLETED)


async def test_slots_set_at_run_time_count_within_two_seconds(client: AsyncClient, database: str) -> None:
    await client.enqueue_many([{"kind": "gate", "args": {}} for _ in range(10)])

    async with running_executor(settings_for(database), slots=2) as executor:
        await eventually(lambda: len(executor.executor.running()) == 2, within=10)
        async with await AsyncConnection.connect(database, autocommit=True) as conn:
            await conn.execute("INSERT INTO riverrun_queue_setting (queue, max_workers) VALUES ('default', 5)")
        await eventually(lambda: len(executor.executor.running()) == 5, within=10)


async def test_a_claim_whose_answer_was_lost_is_given_back(client: AsyncClient, database: str) -> None:
    job = (await client.enqueue("noop", {}, scheduled_at=datetime.now(UTC) + timedelta(days=1))).job

    async with running_executor(settings_for(database)) as executor:
        async with await AsyncConnection.connect(database, autocommit=True) as conn:
            await conn.execute(
                "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '1 minute', "
                "attempted_by = ARRAY[%s] WHERE id = %s",
                (executor.context.incarnation, job.id),
            )
        await executor.drain()

    job = await client.get(job.id)
    assert job.state == JobState.AVAILABLE
    assert job.attempt == 0


async def test_figures_by_minute_are_written(client: AsyncClient, database: str) -> None:
    await client.enqueue_many([{"kind": "noop", "args": {}} for _ in range(20)])
    await client.enqueue("fail", {}, max_attempts=1)

    async with running_executor(settings_for(database)) as executor:
        await eventually(lambda: executor.context.progress == 21, within=10)

    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        cursor = await conn.execute("SELECT sum(completed), sum(discarded) FROM riverrun_minute")
        assert await cursor.fetchone() == (20, 1)
