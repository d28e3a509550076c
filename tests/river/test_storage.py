"""Rows as every client of River writes and reads them; each test is named after a scenario of River's suite."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient, Conflict, InvalidInput, JobRunning, JobState, NotFound, Unique, UniqueConflict
from riverrun.database import migrate
from riverrun.database.schema_check import check
from riverrun.store import changing, jobs
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.jobs import ago, changed, insert, job, states
from support.queries import value
from support.river_database import create_river

Connection = AsyncConnection[TupleRow]

DUE = datetime(2031, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)


async def test_job_row_round_trip_all_fields(client: AsyncClient, conn: Connection) -> None:
    args = '{"int": 9223372036854775807, "big": 123456789012345678901234567890, "float": 1.10, "text": "ä\\u0001"}'
    enqueued = await client.enqueue(
        "typed",
        args,
        queue="a|b",
        priority=9,
        scheduled_at=DUE,
        max_attempts=32_767,
        tags=["one", "two_2"],
        metadata={"deep": [{"null": None}]},
        unique=Unique(by_args=True),
    )

    row = await job(conn, enqueued.job.id)

    assert await client.get(enqueued.job.id) == enqueued.job
    assert (row["kind"], row["queue"], row["priority"], row["max_attempts"]) == ("typed", "a|b", 9, 32_767)
    assert (row["state"], row["scheduled_at"], row["tags"]) == ("scheduled", DUE, ["one", "two_2"])
    assert (row["attempt"], row["attempted_at"], row["attempted_by"], row["errors"]) == (0, None, None, None)
    assert (row["metadata"], row["finalized_at"]) == ({"deep": [{"null": None}]}, None)
    assert (len(row["unique_key"]), row["unique_states"]) == (32, "11110101")
    assert await value(conn, "SELECT args ->> 'big' FROM river_job") == "123456789012345678901234567890"
    assert await value(conn, "SELECT args ->> 'float' FROM river_job") == "1.10"


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ({}, "available"),
        ({"scheduled_at": DUE}, "scheduled"),
        ({"scheduled_at": datetime(2001, 1, 1, tzinfo=UTC)}, "scheduled"),
        ({"pending": True}, "pending"),
        ({"pending": True, "scheduled_at": DUE}, "pending"),
    ],
    ids=["now", "later", "at a time that has passed", "pending", "pending wins"],
)
async def test_differential_job_crud_states(
    client: AsyncClient, conn: Connection, options: dict[str, object], state: str
) -> None:
    await client.enqueue("noop", {}, **options)  # type: ignore[arg-type]  # a case names a few of many options
    spec: Any = {"kind": "noop", "args": {}, **options}
    await client.enqueue_many([spec])
    await client.copy_in([spec])

    assert await states(conn) == [state] * 3


async def test_differential_job_crud(client: AsyncClient, conn: Connection) -> None:
    job_id = (await client.enqueue("noop", {}, max_attempts=2)).job.id

    assert (await client.cancel(job_id)).state == JobState.CANCELLED
    cancelled = await job(conn, job_id)
    assert cancelled["finalized_at"] is not None
    assert datetime.fromisoformat(cancelled["metadata"]["cancel_attempted_at"]).tzinfo is not None
    await conn.execute("UPDATE river_job SET attempt = 2")
    retried = await client.retry(job_id)
    assert (retried.state, retried.attempt, retried.max_attempts, retried.finalized_at) == ("available", 2, 3, None)
    # Unlike in River's Go client the request is forgotten, or the next failure would cancel the job again.
    assert "cancel_attempted_at" not in retried.metadata
    await client.delete(job_id)
    with pytest.raises(NotFound):
        await client.get(job_id)


async def test_exhausted_job_retry(client: AsyncClient, conn: Connection) -> None:
    job_id = await insert(
        conn, state="discarded", attempt=3, max_attempts=3, finalized_at=ago("1 day"), scheduled_at=ago("1 day")
    )

    retried = await client.retry(job_id)

    assert (retried.state, retried.attempt, retried.max_attempts) == (JobState.AVAILABLE, 3, 4)
    assert retried.finalized_at is None


async def test_exhausted_job_retry_at_the_largest_number_of_attempts(client: AsyncClient, conn: Connection) -> None:
    most = 32_767
    job_id = await insert(conn, state="discarded", attempt=most, max_attempts=most, finalized_at=ago("1 day"))

    retried = await client.retry(job_id)

    assert (retried.state, retried.attempt, retried.max_attempts) == (JobState.AVAILABLE, most, most)


@pytest.mark.parametrize(("attempt", "max_attempts"), [(3, 3), (3, 4), (32_767, 32_767)])
@pytest.mark.parametrize("state", ["completed", "discarded", "retryable"])
async def test_exhausted_job_retry_of_many_is_that_of_each(
    client: AsyncClient, conn: Connection, state: str, attempt: int, max_attempts: int
) -> None:
    row: dict[str, Any] = {
        "state": state,
        "attempt": attempt,
        "max_attempts": max_attempts,
        "finalized_at": None if state == "retryable" else ago("1 day"),
        "metadata": '{"cancel_attempted_at": "2026-01-01T00:00:00Z", "riverrun:reruns": 2, "kept": true}',
    }
    alone, among_many = await insert(conn, **row), await insert(conn, **row)

    await client.retry(alone)
    assert await client.run(changing.make_available([among_many], list(JobState))) == {among_many}

    one, other = await job(conn, alone), await job(conn, among_many)
    assert changed(one, other) <= {"id", "created_at", "scheduled_at"}


async def test_unique_skip_keeps_existing_kind(client: AsyncClient, conn: Connection) -> None:
    unique = Unique(by_args=True, exclude_kind=True)
    first = (await client.enqueue("one_kind", {"n": 1}, unique=unique)).job
    before = await job(conn, first.id)

    second = await client.enqueue("another_kind", {"n": 1}, unique=unique)

    assert (second.duplicate, second.job.id, second.job.kind) == (True, first.id, "one_kind")
    assert await job(conn, first.id) == before


async def test_bulk_delete_safety(client: AsyncClient, conn: Connection) -> None:
    waiting = (await client.enqueue("noop", {})).job.id
    running = await insert(conn, state="running", attempt=1)

    deleted = await client.run(jobs.delete([waiting, running, 4711]))

    assert deleted == {waiting: JobState.AVAILABLE, running: JobState.RUNNING}
    assert await states(conn) == ["running"]
    with pytest.raises(JobRunning):
        await client.delete(running)


async def test_differential_job_list_filters_and_cursors(client: AsyncClient) -> None:
    for number in range(12):
        await client.enqueue(
            "even" if number % 2 == 0 else "odd",
            {},
            queue=f"q{number % 3}",
            priority=1 + number % 4,
            tags=["all", f"tag{number % 2}", f"mod{number % 3}"],
            metadata={"n": number, "deep": {"half": number // 6}},
        )

    async def ids(**filters: object) -> list[int]:
        return [found.id for found in (await client.list(order="oldest", **filters)).jobs]  # type: ignore[arg-type]  # one of many

    everything = list(range(1, 13))
    assert await ids() == everything
    assert [found.id for found in (await client.list(order="newest")).jobs] == everything[::-1]
    assert await ids(id=[3, 5, 99]) == [3, 5]
    assert await ids(kind="even") == everything[::2]
    assert await ids(queue=["q0", "q1"]) == [n for n in everything if n % 3 != 0]
    assert await ids(priority=[1, 2]) == [n for n in everything if n % 4 in (1, 2)]
    assert await ids(state=["available", "running"]) == everything
    assert await ids(tag=["tag1", "mod2"]) == [n for n in everything if n % 2 == 0 or n % 3 == 0]
    assert await ids(tags_all=["tag1", "mod2"]) == [6, 12]
    assert await ids(metadata={"deep": {"half": 1}}) == everything[6:]
    assert await ids(metadata='{"n": 4}', kind="odd") == []

    seen: list[int] = []
    page = await client.list(order="newest", tag="tag0", limit=2)
    while True:
        seen += [found.id for found in page.jobs]
        if page.next_cursor is None:
            break
        page = await client.list(order="newest", tag="tag0", limit=2, cursor=page.next_cursor)
    assert seen == [n for n in everything[::-1] if n % 2 == 1]


async def test_cursors_and_orders_that_mean_nothing_are_refused(client: AsyncClient) -> None:
    await client.enqueue_many([{"kind": "noop", "args": {}} for _ in range(3)])
    cursor = (await client.list(order="oldest", limit=1)).next_cursor

    for filters in ({"order": "newest"}, {}, {"order": "oldest", "tag": "other"}):
        with pytest.raises(InvalidInput, match="cursor"):
            await client.list(limit=1, cursor=cursor, **filters)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(InvalidInput, match="order: 'random' is not allowed; expected newest or oldest"):
        await client.list(order="random")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(InvalidInput, match="metadata"):
        await client.list(metadata="[]")


async def test_unsafe_int64_job_ids_rpc_list_cursors(client: AsyncClient, conn: Connection) -> None:
    largest = 2**63 - 1
    for job_id in (2**53, 2**53 + 1, largest - 1, largest):
        await insert(conn, id=job_id)

    page = await client.list(order="newest", limit=2)

    assert [found.id for found in page.jobs] == [largest, largest - 1]
    rest = await client.list(order="newest", limit=2, cursor=page.next_cursor)
    assert [found.id for found in rest.jobs] == [2**53 + 1, 2**53]
    assert (await client.get(largest)).id == largest
    assert (await client.list(id=largest)).jobs[0].id == largest


async def test_transaction_commit_and_rollback_visibility(client: AsyncClient, database: str) -> None:
    async with await AsyncConnection.connect(database) as own:
        gone = (await client.enqueue("noop", {}, conn=own)).job.id
        assert (await client.get(gone, conn=own)).id == gone
        with pytest.raises(NotFound):
            await client.get(gone)
        await own.rollback()

        kept = (await client.enqueue("noop", {}, conn=own)).job.id
        await own.commit()

    assert [found.id for found in (await client.list()).jobs] == [kept]


async def test_transaction_abort_rollback_visibility(client: AsyncClient, database: str) -> None:
    async with await AsyncConnection.connect(database) as own:
        await client.enqueue("noop", {}, conn=own)
        with pytest.raises(Exception, match="division by zero"):
            await own.execute("SELECT 1 / 0")
        await own.rollback()

    assert (await client.list()).jobs == []


async def test_transactional_crud_commit_rollback(client: AsyncClient, conn: Connection, database: str) -> None:
    ids = [(await client.enqueue("noop", {})).job.id for _ in range(3)]
    await client.cancel(ids[1])
    async with await AsyncConnection.connect(database) as own:
        for finish in (own.rollback, own.commit):
            await client.cancel(ids[0], conn=own)
            await client.retry(ids[1], conn=own)
            await client.delete(ids[2], conn=own)
            await finish()
            if finish == own.rollback:
                assert await states(conn) == ["available", "cancelled", "available"]

    assert await states(conn) == ["cancelled", "available"]


async def test_transactional_batch_insertion(client: AsyncClient, conn: Connection, database: str) -> None:
    many = [{"kind": "noop", "args": {"n": n}} for n in range(1_200)]
    async with await AsyncConnection.connect(database) as own:
        await client.enqueue_many(many, conn=own)  # type: ignore[arg-type]  # dicts, as producers write them
        await client.copy_in(many, conn=own)  # type: ignore[arg-type]  # the same
        await own.rollback()
        assert await value(conn, "SELECT count(*) FROM river_job") == 0

        await client.enqueue_many(many[:3], conn=own)  # type: ignore[arg-type]  # the same
        await own.commit()

    assert await value(conn, "SELECT count(*) FROM river_job") == 3


async def test_typed_batch_insertion(client: AsyncClient) -> None:
    unique = Unique(by_args=True)
    first = await client.enqueue("same", {"n": 1}, unique=unique)

    results = await client.enqueue_many(
        [
            {"kind": "same", "args": {"n": 1}, "unique": unique},
            {"kind": "same", "args": {"n": 2}, "unique": unique},
            {"kind": "same", "args": {"n": 2}, "unique": unique},
            {"kind": "other", "args": {}, "tags": ["typed"], "scheduled_at": DUE},
        ]
    )

    assert [result.duplicate for result in results] == [True, False, True, False]
    assert results[0].job.id == first.job.id
    assert results[1].job.id == results[2].job.id
    assert (results[3].job.state, results[3].job.tags) == (JobState.SCHEDULED, ("typed",))
    assert await client.enqueue_many([]) == []


async def test_operator_retry_unique_conflict(client: AsyncClient) -> None:
    unique = Unique(by_args=True)
    first = (await client.enqueue("same", {}, unique=unique)).job
    await client.cancel(first.id)
    second = (await client.enqueue("same", {}, unique=unique)).job

    with pytest.raises(UniqueConflict, match=f"job {first.id} has the unique key of another unfinished job") as caught:
        await client.retry(first.id)

    assert isinstance(caught.value, Conflict)
    assert (await client.get(first.id)).state == JobState.CANCELLED
    assert (await client.get(second.id)).state == JobState.AVAILABLE


async def test_custom_schema_reference_migrate_candidate_work(empty_database: str) -> None:
    schema = "Mixed_Case"
    async with await AsyncConnection.connect(empty_database, autocommit=True) as conn:
        await create_river(conn, 8, schema)
        await create_river(conn, 7, "other")
        for name in (schema, "other"):
            await migrate.up(conn, name)
            await check(conn, name)
    async with (
        AsyncClient(empty_database, schema=schema) as client,
        AsyncClient(empty_database, schema="other") as other,
    ):
        elsewhere = (await other.enqueue("noop", {})).job.id
        here = (await client.enqueue("noop", {})).job.id
        async with running_executor(settings_for(empty_database, schema=schema)):

            async def done() -> bool:
                return (await client.get(here)).state == JobState.COMPLETED

            await eventually(done, within=10)

        assert (await other.get(elsewhere)).state == JobState.AVAILABLE


async def test_historical_migration_down_up(empty_database: str) -> None:
    async with await AsyncConnection.connect(empty_database, autocommit=True) as conn:
        await create_river(conn, 7)
        args = json.dumps({"kept": True})
        job_id = await insert(conn, args=args)
        versions = "SELECT array_agg(version ORDER BY version) FROM river_migration WHERE line = 'main'"

        await migrate.up(conn)
        await migrate.down(conn, to=0)

        assert await value(conn, versions) == [1, 2, 3, 4, 5, 6, 7]
        await migrate.up(conn)
        assert (await job(conn, job_id))["args"] == {"kept": True}
        assert await value(conn, versions) == [1, 2, 3, 4, 5, 6, 7]


async def test_unique_in_every_state_that_holds_the_key(client: AsyncClient, conn: Connection) -> None:
    unique = Unique(by_args=True, by_period=timedelta(days=7), by_queue=True)
    first = (await client.enqueue("same", {}, unique=unique, scheduled_at=DUE)).job.id
    ends = {"cancelled", "completed", "discarded"}
    for state in JobState:
        finalized = "now()" if state in ends else "NULL"
        await conn.execute(
            f"UPDATE river_job SET state = '{state}', finalized_at = {finalized} WHERE id = {first}".encode()
        )

        again = await client.enqueue("same", {}, unique=unique, scheduled_at=DUE + timedelta(days=1))

        assert again.duplicate == (state not in {"cancelled", "discarded"})
        if not again.duplicate:
            await client.delete(again.job.id)
