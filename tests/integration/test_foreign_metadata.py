"""Jobs in whose metadata another client has put something else than the object that River wants: none gets stuck."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient, JobState
from riverrun.claimed_job import ClaimedJob
from riverrun.database.statements import Statements, Steps
from riverrun.store import attempts, callbacks, changing, jobs, leader, leases, promote
from riverrun.store.leases import Death
from riverrun.transition import Finalization
from riverrun.webhook import Fence
from support import handlers
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.jobs import Row, ago, insert, job

Connection = AsyncConnection[TupleRow]

WITHIN = 20.0
EXECUTOR = "host-1_4711_0a1b2c3d"
PATCH = '{"a": 1}'
KEY: dict[str, Any] = {"unique_key": b"k", "unique_states": "11010101"}

pytestmark = pytest.mark.parametrize("metadata", ["[]", '[{"cancel_attempted_at": 1}]', '"x"', "3", "null"])

run = Statements().run


@pytest.fixture
async def client(database: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(database) as client:
        yield client


async def test_a_running_job_ends_when_somebody_cancels_it(
    conn: Connection, client: AsyncClient, database: str, metadata: str
) -> None:
    handlers.gate.close()
    job_id = await insert(conn, kind="gate", metadata=metadata)
    async with running_executor(settings_for(database)):
        await eventually(lambda: _is(client, job_id, JobState.RUNNING), within=WITHIN)

        await client.cancel(job_id)

        await eventually(lambda: _is(client, job_id, JobState.CANCELLED), within=WITHIN)


async def test_what_attempts_note_is_kept_from_one_to_the_next(
    conn: Connection, client: AsyncClient, database: str, metadata: str
) -> None:
    job_id = await insert(conn, kind="in_steps", args='{"fail_at": 3}', metadata=metadata)
    async with running_executor(settings_for(database)):
        await eventually(lambda: _is(client, job_id, JobState.COMPLETED), within=WITHIN)

    assert (await client.get(job_id)).metadata["ran"] == [4, 5, "finish"]


async def test_an_attempt_may_be_given_back(
    conn: Connection, client: AsyncClient, database: str, metadata: str
) -> None:
    job_id = await insert(conn, kind="snooze", metadata=metadata)
    async with running_executor(settings_for(database)):
        await eventually(lambda: _is(client, job_id, JobState.SCHEDULED), within=WITHIN)

    assert (await client.get(job_id)).metadata["snoozes"] == 1


Write = Callable[[ClaimedJob], Steps[Any]]
WRITES: dict[str, tuple[Write, str]] = {
    "asks to cancel": (lambda held: jobs.cancel([held.id]), "cancel_attempted_at"),
    "updates": (lambda held: jobs.update(held.id, PATCH), "a"),
    "notes in mid-run": (lambda held: attempts.note([(held, PATCH)], EXECUTOR), "a"),
    "notes in a transaction": (lambda held: attempts.save_in(held, EXECUTOR, PATCH), "a"),
    "completes in a transaction": (lambda held: attempts.complete_in(held, EXECUTOR, PATCH), "a"),
    "finalizes": (
        lambda held: attempts.finalize([(held, Finalization(JobState.COMPLETED, 1, None, None, PATCH))], EXECUTOR), "a",
    ),
    "calls back": (
        lambda held: callbacks.note(Fence(held.id, held.attempt, held.fence_us), EXECUTOR, PATCH), "riverrun:callbacks",
    ),
    "makes look young": (
        lambda held: attempts.refresh([held], EXECUTOR, older_than=timedelta()), "riverrun:started_us",
    ),
    "takes back from a crash": (lambda _: leases.settle(EXECUTOR, Death("it crashed")), "riverrun:crashes"),
    "rescues": (lambda _: leases.release_incarnation(EXECUTOR, reason="gone"), "river:rescue_count"),
}  # fmt: skip


@pytest.mark.parametrize(("write", "member"), WRITES.values(), ids=WRITES)
async def test_a_write_to_a_running_job_leaves_what_it_wanted(
    conn: Connection, metadata: str, write: Write, member: str
) -> None:
    await insert(conn, "river_leader", leader_id="go", elected_at=ago("1 second"), expires_at=ago("-60 seconds"))
    held = await _claimed(conn, metadata)

    await run(conn, write(held))

    assert member in _members(await job(conn, held.id))


async def test_what_an_attempt_leaves_is_kept_with_a_job_that_somebody_else_ended(
    conn: Connection, metadata: str
) -> None:
    held = await _claimed(conn, metadata)
    await conn.execute("UPDATE river_job SET state = 'completed', finalized_at = now()")

    await run(conn, attempts.leave([(held, PATCH)], EXECUTOR))

    assert _members(await job(conn, held.id)) == {"a": 1}


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
async def test_a_job_that_has_ended_runs_again_by_hand(conn: Connection, metadata: str, many: bool) -> None:
    job_id = await insert(conn, state="discarded", finalized_at=ago("1 hour"), metadata=metadata)

    await run(conn, changing.make_available([job_id], [JobState.DISCARDED]) if many else jobs.retry(job_id))

    after = await job(conn, job_id)
    assert (after["state"], _members(after)) == ("available", {"riverrun:reruns": 1})


async def test_a_job_that_waits_is_cancelled(conn: Connection, metadata: str) -> None:
    job_id = await insert(conn, metadata=metadata)

    await run(conn, jobs.cancel([job_id]))

    after = await job(conn, job_id)
    assert (after["state"], set(_members(after))) == ("cancelled", {"cancel_attempted_at"})


async def test_a_due_job_whose_key_is_held_is_discarded(conn: Connection, metadata: str) -> None:
    loser = await insert(conn, state="retryable", scheduled_at=ago("1 second"), metadata=metadata, **KEY)
    await insert(conn, state="running", attempt=1, attempted_at=ago("1 second"), **KEY)
    generation = (await run(conn, leader.elect("host-1"))).generation
    assert generation is not None

    await run(conn, promote.promote_contested(generation, loser))

    assert _members(await job(conn, loser)) == {"unique_key_conflict": "scheduler_discarded"}


async def _is(client: AsyncClient, job_id: int, state: JobState) -> bool:
    return (await client.get(job_id)).state == state


async def _claimed(conn: Connection, metadata: str) -> ClaimedJob:
    await insert(conn, metadata=metadata)
    held = await run(conn, attempts.claim_one("email", job_id=None, incarnation=EXECUTOR))
    assert held is not None
    return held


def _members(row: Row) -> dict[str, Any]:
    assert isinstance(row["metadata"], dict), row["metadata"]
    return row["metadata"]
