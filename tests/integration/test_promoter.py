"""Due jobs become available, exactly one for each unique key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun_scheduler.promoter import Promoter
from riverrun_scheduler.river_leader import RiverLeadership
from riverrun_scheduler.term import Term
from support.contexts import settings_for
from support.jobs import ago, changed, insert, job, states
from support.schedulers import term_of

Connection = AsyncConnection[TupleRow]

WITHOUT_RETRYABLE = "11010101"
WITH_DISCARDED = "11011101"
DEFAULT_STATES = "11110101"


async def promote_all(term: Term) -> None:
    river = RiverLeadership(term)
    promoter = Promoter(term, river)
    pulse = await term.pulse()
    await river.step(pulse)
    while await promoter.step(pulse):
        pass


@pytest.mark.every_postgres
@pytest.mark.parametrize("state", ["scheduled", "retryable"])
async def test_a_due_job_becomes_available_and_nothing_else_of_it_changes(
    conn: Connection, database: str, state: str
) -> None:
    job_id = await insert(conn, state=state, scheduled_at=ago("1 second"), attempt=2)
    before = await job(conn, job_id)

    async with term_of(settings_for(database)) as term:
        await promote_all(term)

    after = await job(conn, job_id)
    assert changed(before, after) == {"state"}
    assert after["state"] == "available"


async def test_a_job_that_is_not_due_or_waits_for_a_person_stays(conn: Connection, database: str) -> None:
    await insert(conn, state="scheduled", scheduled_at=ago("-1 hour"))
    await insert(conn, state="pending", scheduled_at=ago("1 hour"))
    await insert(conn, state="scheduled", scheduled_at=ago("1 second"))

    async with term_of(settings_for(database)) as term:
        await promote_all(term)

    assert await states(conn) == ["scheduled", "pending", "available"]


async def test_each_queue_is_notified_once(conn: Connection, database: str) -> None:
    for queue in ("mail", "mail", "default"):
        await insert(conn, state="scheduled", scheduled_at=ago("1 second"), queue=queue)
    await conn.execute('LISTEN "public.river_insert"')

    async with term_of(settings_for(database)) as term:
        await promote_all(term)

    heard = [notify.payload async for notify in conn.notifies(timeout=2, stop_after=2)]
    assert sorted(heard) == ['{"queue": "default"}', '{"queue": "mail"}']


async def test_a_job_that_somebody_holds_is_left_and_stops_nobody(conn: Connection, database: str) -> None:
    held = await insert(conn, state="scheduled", scheduled_at=ago("2 seconds"))
    await insert(conn, state="scheduled", scheduled_at=ago("1 second"))

    async with conn.transaction():
        await conn.execute("SELECT FROM river_job WHERE id = %s FOR UPDATE", (held,))
        async with term_of(settings_for(database)) as term:
            await promote_all(term)

    assert await states(conn) == ["scheduled", "available"]


async def test_of_two_due_jobs_with_one_key_exactly_one_becomes_available(conn: Connection, database: str) -> None:
    for _ in range(2):
        await insert(
            conn, state="retryable", scheduled_at=ago("1 second"), unique_key=b"k", unique_states=WITHOUT_RETRYABLE
        )

    async with term_of(settings_for(database)) as term:
        await promote_all(term)

    assert await states(conn) == ["available", "discarded"]


async def test_the_job_that_already_holds_the_key_wins_over_an_older_one(conn: Connection, database: str) -> None:
    key: dict[str, Any] = {"unique_key": b"k", "unique_states": WITHOUT_RETRYABLE}
    await insert(conn, state="retryable", scheduled_at=ago("1 hour"), **key)
    await insert(conn, state="scheduled", scheduled_at=ago("1 second"), **key)

    async with term_of(settings_for(database)) as term:
        await promote_all(term)

    assert await states(conn) == ["discarded", "available"]


async def test_a_job_whose_key_is_held_is_discarded_with_exactly_these_columns(conn: Connection, database: str) -> None:
    key: dict[str, Any] = {"unique_key": b"k", "unique_states": WITHOUT_RETRYABLE}
    loser = await insert(conn, state="retryable", scheduled_at=ago("1 second"), metadata='{"a": 1}', **key)
    await insert(conn, state="running", attempt=1, attempted_at=ago("1 second"), **key)
    before = await job(conn, loser)

    async with term_of(settings_for(database)) as term:
        await promote_all(term)

    after = await job(conn, loser)
    assert changed(before, after) == {"state", "finalized_at", "metadata"}
    assert after["state"] == "discarded"
    assert after["metadata"] == {"a": 1, "unique_key_conflict": "scheduler_discarded"}


async def test_a_loser_whose_mask_counts_discarded_jobs_gives_up_its_claim(conn: Connection, database: str) -> None:
    await insert(conn, state="available", unique_key=b"k", unique_states=DEFAULT_STATES)
    loser = await insert(
        conn, state="retryable", scheduled_at=ago("1 second"), unique_key=b"k", unique_states="11011101"
    )

    async with term_of(settings_for(database)) as term:
        await promote_all(term)

    assert (await job(conn, loser))["state"] == "discarded"
    assert (await job(conn, loser))["unique_states"] is None


async def test_a_key_that_is_being_enqueued_elsewhere_holds_up_no_other_job(conn: Connection, database: str) -> None:
    key: dict[str, Any] = {"unique_key": b"k", "unique_states": WITHOUT_RETRYABLE}
    await insert(conn, state="retryable", scheduled_at=ago("2 seconds"), **key)
    await insert(conn, state="retryable", scheduled_at=ago("1 second"))

    async with await AsyncConnection.connect(database) as other, term_of(settings_for(database)) as term:
        await insert(other, **key)
        await promote_all(term)
        while_open = await states(conn)
        await other.commit()
        await promote_all(term)

    assert while_open == ["retryable", "available"]
    assert await states(conn) == ["discarded", "available", "available"]


async def test_more_jobs_than_a_batch_are_promoted_in_one_pass(conn: Connection, database: str) -> None:
    await conn.execute(
        "INSERT INTO river_job (kind, args, state, scheduled_at)"
        " SELECT 'email', '{}', 'scheduled', now() - interval '1 minute' FROM generate_series(1, 4500)"
    )

    async with term_of(settings_for(database)) as term:
        await promote_all(term)

    assert set(await states(conn)) == {"available"}


async def test_a_leader_of_an_earlier_term_promotes_nothing(conn: Connection, database: str) -> None:
    await insert(conn, state="scheduled", scheduled_at=ago("1 second"))

    async with term_of(settings_for(database)) as term:
        river = RiverLeadership(term)
        pulse = await term.pulse()
        await river.step(pulse)
        await conn.execute("UPDATE riverrun_leader SET generation = generation + 1")
        await Promoter(term, river).step(pulse)

    assert await states(conn) == ["scheduled"]


async def test_a_promotion_and_an_operators_bulk_change_never_deadlock(conn: Connection, database: str) -> None:
    await conn.execute(
        "INSERT INTO river_job (kind, args, state, scheduled_at)"
        " SELECT 'email', '{}', 'scheduled', now() - n * interval '1 ms' FROM generate_series(1, 3000) AS n"
    )
    statement = (
        "WITH chosen AS (SELECT id FROM river_job WHERE id % 7 = 0 ORDER BY id FOR UPDATE)"
        " UPDATE river_job SET priority = 2 FROM chosen WHERE river_job.id = chosen.id"
    )

    async with (
        await AsyncConnection.connect(database, autocommit=True) as operator,
        term_of(settings_for(database)) as term,
    ):
        await asyncio.gather(promote_all(term), *(operator.execute(statement) for _ in range(5)))
        await promote_all(term)

    assert set(await states(conn)) == {"available"}
