"""Which jobs an executor claims, and how soon, also while dead rows pile up below its floors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from psycopg import AsyncConnection

from riverrun import AsyncClient, JobState
from riverrun.claimed_job import ClaimedJob
from riverrun.database.statements import Statements, Steps
from riverrun.messages import Wake
from riverrun.store import attempts
from riverrun_executor.claimer import CLAIM_SESSION
from riverrun_executor.floors import NOWHERE, Floors
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import RunningExecutor, running_executor

SLOW_TO_CLAIM = """
CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN new; END $$;
CREATE TRIGGER slow_to_claim BEFORE UPDATE ON river_job
FOR EACH ROW WHEN (new.kind = 'greet' AND new.state = 'running') EXECUTE FUNCTION be_slow()
"""

pytestmark = pytest.mark.every_postgres


@pytest.fixture
async def conn(database: str) -> AsyncIterator[AsyncConnection[tuple[Any, ...]]]:
    """Give a connection to the test's database."""
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        yield conn


async def claimed(conn: AsyncConnection[Any], slots: int, floors: Floors = NOWHERE) -> list[int]:
    """Claim jobs of the default queue and return their ids in the order in which they are the best."""
    steps = attempts.claim("default", slots=slots, incarnation="me", floors_us=floors.us, floor_ids=floors.ids)
    jobs = await Statements().run(conn, steps)
    return [job.id for job in sorted(jobs, key=lambda job: (job.priority, job.scheduled_us, job.id))]


async def test_the_best_jobs_are_claimed_first(client: AsyncClient, conn: AsyncConnection[Any]) -> None:
    late = (await client.enqueue("noop", {}, priority=9)).job.id
    middle = [(await client.enqueue("noop", {}, priority=5)).job.id for _ in range(3)]
    first = (await client.enqueue("noop", {}, priority=1)).job.id

    assert await claimed(conn, 2) == [first, middle[0]]
    assert await claimed(conn, 5) == [*middle[1:], late]


async def test_no_more_are_claimed_than_there_are_slots(client: AsyncClient, conn: AsyncConnection[Any]) -> None:
    await client.enqueue_many([{"kind": "noop", "args": {}, "priority": 1 + n % 9} for n in range(50)])

    assert len(await claimed(conn, 20)) == 20
    cursor = await conn.execute("SELECT count(*) FROM river_job WHERE state = 'running'")
    assert await cursor.fetchone() == (20,)


async def test_neither_future_nor_other_queues_nor_left_out_kinds_are_claimed(
    client: AsyncClient, conn: AsyncConnection[Any]
) -> None:
    await client.enqueue("noop", {}, scheduled_at=datetime.now(UTC) + timedelta(hours=1))
    await client.enqueue("noop", {}, queue="other")
    await client.enqueue("left_out", {})
    steps = attempts.claim(
        "default", slots=9, incarnation="me", floors_us=NOWHERE.us, floor_ids=NOWHERE.ids, kinds_left_out=["left_out"]
    )

    assert await Statements().run(conn, steps) == []


async def test_of_a_kind_with_little_room_only_the_best_are_claimed(
    client: AsyncClient, conn: AsyncConnection[Any]
) -> None:
    crowd = [(await client.enqueue("crowd", {}, priority=2 + n % 2)).job.id for n in range(6)]
    other = (await client.enqueue("noop", {}, priority=4)).job.id
    steps = attempts.claim(
        "default", slots=9, incarnation="me", floors_us=NOWHERE.us, floor_ids=NOWHERE.ids, rooms={"crowd": 4, "x": 1}
    )

    jobs = await Statements().run(conn, steps)

    assert {job.id for job in jobs} == {crowd[0], crowd[2], crowd[4], crowd[1], other}
    assert {job.attempt for job in jobs} == {1}
    assert await claimed(conn, 9) == [crowd[3], crowd[5]]


@pytest.mark.parametrize(
    ("claim", "state"),
    [(attempts.claim, "available"), (partial(attempts.claim, rooms={"crowd": 1}), "available"),
     (attempts.claim_isolated, "pending")],
    ids=["claim", "claim with little room for a kind", "claim of an isolated executor"],
)  # fmt: skip
async def test_a_job_whose_attempts_can_be_counted_no_further_stops_no_queue(
    client: AsyncClient, conn: AsyncConnection[Any], claim: Callable[..., Steps[list[ClaimedJob]]], state: str
) -> None:
    await client.enqueue("crowd", {})
    await conn.execute(
        "UPDATE river_job SET state = %s, attempt = 32767, metadata = '{\"riverrun:isolated\": true}'", (state,)
    )

    steps = claim("default", slots=9, incarnation="me", floors_us=NOWHERE.us, floor_ids=NOWHERE.ids)
    (job,) = await Statements().run(conn, steps)

    assert job.attempt == 32_767


async def test_two_executors_never_claim_the_same_job(client: AsyncClient, database: str) -> None:
    await client.enqueue_many([{"kind": "noop", "args": {}} for _ in range(200)])

    async def claim_all() -> list[int]:
        async with await AsyncConnection.connect(database, autocommit=True) as conn:
            ids: list[int] = []
            while found := await claimed(conn, 7):
                ids += found
            return ids

    found = await asyncio.gather(*(claim_all() for _ in range(4)))

    ids = [job_id for each in found for job_id in each]
    assert len(ids) == len(set(ids)) == 200


async def test_a_claim_above_the_floor_does_not_step_over_dead_rows(
    client: AsyncClient, conn: AsyncConnection[Any], database: str
) -> None:
    await conn.execute(
        "INSERT INTO river_job (kind, args, max_attempts, scheduled_at) "
        "SELECT 'noop', '{}', 25, now() - interval '1 hour' + n * interval '1 millisecond' "
        "FROM generate_series(1, 20000) AS n"
    )
    floors = Floors()
    statements = Statements()
    async with await AsyncConnection.connect(database) as pinning:
        await pinning.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await pinning.execute("SELECT count(*) FROM river_job")
        for _ in range(40):
            steps = attempts.claim("default", slots=250, incarnation="me", floors_us=floors.us, floor_ids=floors.ids)
            floors.rise(await statements.run(conn, steps), exhausted=False)

        above, everywhere = [await buffers(conn, each) for each in (floors, NOWHERE)]

    assert above < 60
    assert everywhere > 5 * above


async def buffers(conn: AsyncConnection[Any], floors: Floors) -> int:
    """Return how many buffers it takes to find one job, without claiming it."""
    await conn.execute("BEGIN")
    params = {
        "schema": None, "queue": "default", "slots": 1, "incarnation": "me", "kinds_left_out": [],
        "floors_us": floors.us, "floor_ids": floors.ids,
    }  # fmt: skip
    explain = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + Statements().text("job_claim")
    cursor = await conn.execute(explain, params)
    row = await cursor.fetchone()
    await conn.execute("ROLLBACK")
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


async def test_a_job_of_a_long_transaction_is_found_within_a_second_of_its_commit(
    client: AsyncClient, database: str
) -> None:
    async with await AsyncConnection.connect(database) as late:
        job = (await client.enqueue("noop", {}, conn=late)).job
        async with running_executor(settings_for(database, poll_interval=timedelta(seconds=1))):
            for _ in range(5):  # the floor rises above the job that nobody can see yet
                seen = (await client.enqueue("noop", {})).job
                await eventually(lambda job_id=seen.id: _completed(client, job_id), within=10)
                await asyncio.sleep(0.1)
            await late.commit()
            await eventually(lambda: _completed(client, job.id), within=2.5)


async def test_a_steady_stream_of_wakes_hides_no_job_below_the_floors(
    client: AsyncClient, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riverrun_executor.claimer.CHEAP_SECONDS", 0.0)  # as if each look met thousands of dead rows

    async def keep_waking(executor: RunningExecutor) -> None:
        while True:
            await client.enqueue("noop", {})
            executor.executor._on_wake(Wake("default"))
            await asyncio.sleep(0.02)

    async with (
        await AsyncConnection.connect(database) as late,
        running_executor(settings_for(database, poll_interval=timedelta(seconds=1))) as executor,
        asyncio.TaskGroup() as producers,
    ):
        job = (await client.enqueue("noop", {}, conn=late)).job
        waking = producers.create_task(keep_waking(executor))
        await eventually(lambda: executor.context.progress >= 20, within=10)  # the floor is above the job by now
        await late.commit()
        await eventually(lambda: _completed(client, job.id), within=5)
        waking.cancel()


async def test_a_look_below_the_floors_that_takes_too_long_stops_no_claim_above_them(
    client: AsyncClient, conn: AsyncConnection[Any], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CLAIM_SESSION, "statement_timeout", "300ms")
    await conn.execute(SLOW_TO_CLAIM)

    async with (
        await AsyncConnection.connect(database) as late,
        running_executor(settings_for(database)) as executor,
    ):
        low = (await client.enqueue("greet", {"name": "Ada"}, conn=late)).job.id
        await asyncio.sleep(0.5)  # the floor stays a quarter of a second behind
        await client.enqueue("noop", {})
        await eventually(lambda: executor.context.progress == 1, within=10)
        await late.commit()
        await eventually(lambda: executor.executor._claimer._look_seconds > 0.25, within=10)
        for _ in range(5):
            high = (await client.enqueue("noop", {})).job.id
            await eventually(lambda job_id=high: _completed(client, job_id), within=2)
        assert not await _completed(client, low)
        await conn.execute("DROP TRIGGER slow_to_claim ON river_job")
        await eventually(lambda: _completed(client, low), within=10)


async def _completed(client: AsyncClient, job_id: int) -> bool:
    return (await client.get(job_id)).state == JobState.COMPLETED


async def test_claimed_times_are_exact_to_the_microsecond(client: AsyncClient, conn: AsyncConnection[Any]) -> None:
    """The fence compares them for equality, so no rounding may move one."""
    moments = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(microseconds=31_536_000_000_007 * n) for n in range(60)]
    for moment in moments:
        job = (await client.enqueue("noop", {})).job
        await conn.execute("UPDATE river_job SET created_at = %s WHERE id = %s", [moment, job.id])

    steps = attempts.claim("default", slots=99, incarnation="me", floors_us=NOWHERE.us, floor_ids=NOWHERE.ids)
    jobs = await Statements().run(conn, steps)

    assert sorted(job.created_at for job in jobs) == moments
    stored = await (await conn.execute("SELECT id, attempted_at FROM river_job")).fetchall()
    assert {job.id: job.attempted_at for job in jobs} == dict(stored)
