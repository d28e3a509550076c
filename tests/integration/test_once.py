"""What happens exactly once: an end that is written twice, and a handler's own transaction."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient, InvalidInput, JobState, StaleAttempt
from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.database.deadline import deadline
from riverrun.database.statements import Statements
from riverrun.outcome import Completed, Failed, Interrupted, Outcome
from riverrun.store import attempts
from riverrun_executor.ending import Ending
from riverrun_executor.finalizer import Finalizer
from riverrun_executor.floors import NOWHERE
from riverrun_executor.slots import Slots
from support import handlers
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.jobs import states

Connection = AsyncConnection[TupleRow]

ME = "host-1_4711_0a1b2c3d"
STATEMENTS = Statements()


@pytest.fixture(autouse=True)
async def effects(conn: Connection) -> None:
    """Make the table into which handlers write."""
    handlers.gate.close()
    await conn.execute("CREATE TABLE effect (job_id bigint)")


async def claimed(conn: Connection, client: AsyncClient, count: int = 1) -> list[ClaimedJob]:
    await client.enqueue_many([{"kind": "noop", "args": {}} for _ in range(count)])
    claim = attempts.claim("default", slots=count, incarnation=ME, floors_us=NOWHERE.us, floor_ids=NOWHERE.ids)
    return await STATEMENTS.run(conn, claim)


async def nothing(_: AsyncConnection[Any]) -> None:
    """Have nothing to do on a new connection."""


class Writer:
    """A finalizer, and what it said of each job."""

    def __init__(self, database: str) -> None:
        self.slots = Slots(10)
        self.said: dict[int, str] = {}
        self.finalizer = Finalizer(
            dsn=database,
            statements=STATEMENTS,
            incarnation=ME,
            server_id="host-1",
            slots=self.slots,
            durable=True,
            recover=nothing,
            written=lambda ending, state: self.said.update({ending.job.id: state}),
        )

    async def write(self, *endings: Ending) -> None:
        for ending in endings:
            self.finalizer.add(ending)
        task = asyncio.create_task(self.finalizer.run(), name="finalizer")
        assert await self.finalizer.drain(timedelta(seconds=5)) == 0
        task.cancel()


def ended(job: ClaimedJob, outcome: Outcome) -> Ending:
    return Ending(job, outcome, None, 0.1)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Completed(), "completed"),
        (Failed("no", retry_in=timedelta(hours=1)), "retryable"),
        (Interrupted(), "available"),
    ],
)
async def test_an_end_that_was_written_although_no_answer_came_is_known_again(
    conn: Connection, client: AsyncClient, database: str, outcome: Outcome, state: str
) -> None:
    [job] = await claimed(conn, client)
    first, second = Writer(database), Writer(database)
    await first.write(ended(job, outcome))

    await second.write(ended(job, outcome))

    assert first.said == second.said == {job.id: state}
    assert len((await client.get(job.id)).errors) == (state == "retryable")


async def test_an_end_of_a_job_that_was_taken_away_is_dropped_and_counted(
    conn: Connection, client: AsyncClient, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    [job] = await claimed(conn, client)
    await conn.execute("UPDATE river_job SET attempt = 2, attempted_at = now(), attempted_by = '{other}'")
    writer = Writer(database)

    await writer.write(ended(job, Completed()))

    assert writer.said == {}
    assert "attempt_superseded" in caplog.text
    assert await states(conn) == ["running"]


async def test_a_job_that_somebody_has_locked_holds_up_no_other(
    conn: Connection, client: AsyncClient, database: str
) -> None:
    jobs = await claimed(conn, client, 3)
    locked = min(job.id for job in jobs)
    writer = Writer(database)
    async with await AsyncConnection.connect(database) as other:
        await other.execute("SELECT FROM river_job WHERE id = %s FOR UPDATE", (locked,))

        writing = asyncio.create_task(writer.write(*(ended(job, Completed()) for job in jobs)))
        await eventually(lambda: len(writer.said) == 2, within=2)
        assert [job.id for job in writer.finalizer.held] == [locked]
        await other.rollback()
        await writing

    assert await states(conn) == ["completed"] * 3


async def test_nothing_is_claimed_while_no_end_can_be_written(
    conn: Connection, client: AsyncClient, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    [job] = await claimed(conn, client)
    writer = Writer(database)
    async with await AsyncConnection.connect(database) as other:
        await other.execute("LOCK TABLE river_job IN EXCLUSIVE MODE")

        writing = asyncio.create_task(writer.write(ended(job, Completed())))
        await eventually(lambda: writer.slots.free == 0, within=3)
        await other.rollback()
        await writing

    assert writer.slots.free == 10
    assert caplog.text.count("endings_wait") == caplog.text.count("endings_written") == 1


async def test_a_claim_whose_answer_was_lost_is_given_back_within_ten_seconds(
    conn: Connection, client: AsyncClient, database: str
) -> None:
    job = (await client.enqueue("noop", {}, delay=timedelta(days=1))).job

    async with running_executor(settings_for(database)) as executor:
        first = (await client.enqueue("noop", {})).job
        await eventually(lambda: _is(client, first.id, JobState.COMPLETED), within=10)
        await conn.execute(
            "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = ARRAY[%s],"
            " scheduled_at = now() + interval '1 day' WHERE id = %s",
            (executor.context.incarnation, job.id),
        )
        await eventually(lambda: _is(client, job.id, JobState.AVAILABLE), within=10)

    assert (await client.get(job.id)).attempt == 0


@pytest.mark.parametrize("kind", ["pay", "pay_in_thread"])
async def test_a_handler_completes_its_job_in_its_own_transaction(
    conn: Connection, client: AsyncClient, database: str, kind: str
) -> None:
    job = await _ran(client, database, kind, {"dsn": database})

    assert job.state == JobState.COMPLETED
    assert await _effects(conn) == 1
    assert job.errors == ()


async def test_outputs_go_along_with_the_transaction(client: AsyncClient, database: str) -> None:
    job = await _ran(client, database, "pay", {"dsn": database})

    assert job.metadata["output"] == "paid"


async def test_a_handler_that_rolls_back_ends_as_usual(conn: Connection, client: AsyncClient, database: str) -> None:
    job = await _ran(client, database, "pay", {"dsn": database, "roll back": True})

    assert job.state == JobState.COMPLETED
    assert await _effects(conn) == 0


async def test_a_handler_that_fails_before_it_commits_is_retried(
    conn: Connection, client: AsyncClient, database: str
) -> None:
    job = await _ran(client, database, "pay", {"dsn": database, "fail": "before commit"})

    assert job.state == JobState.AVAILABLE
    assert await _effects(conn) == 0


async def test_a_handler_that_fails_after_it_committed_has_completed(
    conn: Connection, client: AsyncClient, database: str
) -> None:
    job = await _ran(client, database, "pay", {"dsn": database, "fail": "after commit"})

    assert job.state == JobState.COMPLETED
    assert job.errors == ()
    assert await _effects(conn) == 1


async def test_a_stale_attempt_cannot_complete_its_job_in_a_transaction(
    conn: Connection, client: AsyncClient, database: str
) -> None:
    [job] = await claimed(conn, client)
    await conn.execute("UPDATE river_job SET attempt = 2, attempted_at = now(), attempted_by = '{other}'")
    context = Context(job, server_id="host-1", incarnation=ME, statements=STATEMENTS)

    with psycopg.connect(database) as own, pytest.raises(StaleAttempt, match=f"job {job.id} no longer belongs"):
        context.complete_in(own)

    assert await states(conn) == ["running"]


async def test_a_connection_that_commits_by_itself_is_refused(
    conn: Connection, client: AsyncClient, database: str
) -> None:
    [job] = await claimed(conn, client)
    context = Context(job, server_id="host-1", incarnation=ME, statements=STATEMENTS)

    with pytest.raises(InvalidInput, match="within a transaction"):
        await context.complete_in(conn)

    async with conn.transaction():
        await context.complete_in(conn)
    assert await states(conn) == ["completed"]


async def _ran(client: AsyncClient, database: str, kind: str, args: dict[str, Any]) -> Any:
    job = (await client.enqueue(kind, args)).job
    async with running_executor(settings_for(database)):
        await eventually(lambda: _ended(client, job.id), within=10)
    return await client.get(job.id)


async def _ended(client: AsyncClient, job_id: int) -> bool:
    job = await client.get(job_id)
    return bool(job.attempted_at) and job.state != JobState.RUNNING


async def _is(client: AsyncClient, job_id: int, state: JobState) -> bool:
    return (await client.get(job_id)).state == state


async def _effects(conn: Connection) -> int:
    row = await (await conn.execute("SELECT count(*) FROM effect")).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_connection_that_never_answers_is_given_up(database: str) -> None:
    async with await AsyncConnection.connect(database, autocommit=True) as own:
        began = asyncio.get_running_loop().time()
        with pytest.raises(psycopg.OperationalError), deadline(own, 0.5):
            await own.execute("SELECT pg_sleep(30)")

    assert asyncio.get_running_loop().time() - began < 2


async def test_a_job_of_an_unknown_kind_is_not_given_up_with_its_last_attempt(
    client: AsyncClient, database: str
) -> None:
    job = (await client.enqueue("nobody-knows", {}, max_attempts=1)).job
    async with running_executor(settings_for(database)):
        await eventually(lambda: _ended(client, job.id), within=10)

    job = await client.get(job.id)
    assert job.state == JobState.SCHEDULED
    assert job.attempt == 0
