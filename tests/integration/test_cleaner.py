"""What has been kept long enough goes, and nothing else."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun_scheduler.cleaner import RETRY_SECONDS, Cleaner
from riverrun_scheduler.river_leader import RiverLeadership
from support.clocks import HandClock
from support.contexts import settings_for
from support.jobs import ago, insert
from support.queries import value
from support.schedulers import MORE_THAN_CHORES, cleaned, term_of

Connection = AsyncConnection[TupleRow]

SUMMED = (
    "completed",
    "retried",
    "snoozed",
    "discarded",
    "cancelled",
    "interrupted",
    "rescued",
    "run_seconds",
    "wait_seconds",
)
EMPTY: dict[str, list[int]] = {"run_buckets": [], "wait_buckets": []}


async def clean_all(database: str, **river: Any) -> None:
    async with term_of(settings_for(database, **river)) as term:
        leadership = RiverLeadership(term)
        await leadership.step(await term.pulse())
        await cleaned(term, leadership)


async def names(conn: Connection, query: str) -> list[str]:
    return [row[0] for row in await (await conn.execute(query.encode())).fetchall()]


@pytest.mark.every_postgres
async def test_finalized_jobs_go_after_the_retention_of_their_state(conn: Connection, database: str) -> None:
    for state, kept, old in (
        ("completed", "23 hours", "25 hours"),
        ("cancelled", "23 hours", "25 hours"),
        ("discarded", "6 days", "8 days"),
    ):
        await insert(conn, kind=f"{state} kept", state=state, finalized_at=ago(kept))
        await insert(conn, kind=f"{state} old", state=state, finalized_at=ago(old))
    await insert(conn, kind="unfinished", state="retryable", scheduled_at=ago("100 days"))

    await clean_all(database)

    left = await names(conn, "SELECT kind FROM river_job ORDER BY id")
    assert left == ["completed kept", "cancelled kept", "discarded kept", "unfinished"]


async def test_a_retention_of_minus_one_keeps_jobs_for_ever(conn: Connection, database: str) -> None:
    await insert(conn, kind="discarded", state="discarded", finalized_at=ago("10 years"))
    await insert(conn, kind="completed", state="completed", finalized_at=ago("2 hours"))

    await clean_all(database, retention={"discarded": -1, "completed": "1h"})

    assert await names(conn, "SELECT kind FROM river_job") == ["discarded"]


async def test_a_big_pile_goes_batch_by_batch_and_a_held_job_stays(conn: Connection, database: str) -> None:
    await conn.execute(
        "INSERT INTO river_job (kind, args, state, finalized_at)"
        " SELECT 'email', '{}', 'completed', now() - interval '2 days' FROM generate_series(1, 3456)"
    )

    async with await AsyncConnection.connect(database) as other:
        await other.execute("SELECT FROM river_job WHERE id = 17 FOR UPDATE")
        await clean_all(database)

    assert await value(conn, "SELECT array_agg(id) FROM river_job") == [17]


async def test_jobs_and_queues_are_left_to_a_river_client_that_leads(conn: Connection, database: str) -> None:
    await insert(conn, state="completed", finalized_at=ago("2 days"))
    await insert(conn, "river_queue", name="old", updated_at=ago("2 days"))
    await insert(
        conn, "riverrun_server", server_id="old", host="h", pid=1, version="1", roles=[], heartbeat_at=ago("2 days")
    )
    await insert(conn, "river_leader", leader_id="gohost", elected_at=ago("1 second"), expires_at=ago("-1 hour"))

    await clean_all(database, leadership="follow")

    assert await value(conn, "SELECT count(*) FROM river_job") == 1
    assert await value(conn, "SELECT count(*) FROM river_queue") == 1
    assert await value(conn, "SELECT count(*) FROM riverrun_server") == 0


async def test_a_queue_stays_while_it_is_fresh_paused_or_served(conn: Connection, database: str) -> None:
    for name, columns in {
        "deserted": {"updated_at": ago("25 hours")},
        "fresh": {"updated_at": ago("23 hours")},
        "paused": {"updated_at": ago("25 hours"), "paused_at": ago("25 hours")},
        "served": {"updated_at": ago("25 hours")},
    }.items():
        await insert(conn, "river_queue", name=name, **columns)
    await insert(
        conn,
        "riverrun_executor",
        incarnation="h_1_00000001",
        server_id="h",
        queue="served",
        slots=1,
        pid=1,
        lease_until=ago("-5 seconds"),
    )

    await clean_all(database)

    assert await names(conn, "SELECT name FROM river_queue ORDER BY name") == ["fresh", "paused", "served"]


async def test_our_own_records_go_when_they_are_old(conn: Connection, database: str) -> None:
    for age in ("23 hours", "25 hours"):
        await insert(conn, "riverrun_idempotency_key", token="t", key=age, request_hash=b"h", created_at=ago(age))
        await insert(
            conn, "riverrun_server", server_id=age, host="h", pid=1, version="1", roles=[], heartbeat_at=ago(age)
        )
    for name in ("a", "b", "gone"):
        for age in ("6 days", "8 days", "9 days"):
            await insert(conn, "riverrun_schedule_tick", schedule=name, tick=ago(age), job_id=1)
    for age in ("89 days", "91 days"):
        await insert(
            conn, "riverrun_hour", hour=ago(age), queue="default", kind="email", **dict.fromkeys(SUMMED, 0), **EMPTY
        )

    await clean_all(database)

    assert await names(conn, "SELECT key FROM riverrun_idempotency_key") == ["23 hours"]
    assert await names(conn, "SELECT server_id FROM riverrun_server") == ["23 hours"]
    assert await names(conn, "SELECT schedule FROM riverrun_schedule_tick ORDER BY 1") == ["a", "b", "gone"]
    assert await value(conn, "SELECT count(*) FROM riverrun_hour") == 1


async def test_minutes_stay_for_three_days_and_until_they_are_summed_up(conn: Connection, database: str) -> None:
    for age in ("71 hours", "74 hours", "75 hours"):
        await insert(conn, "riverrun_minute", minute=ago(age), queue="default", kind="email")

    await clean_all(database)
    before = await value(conn, "SELECT count(*) FROM riverrun_minute")
    await insert(conn, "riverrun_hour", hour=ago("70 hours"), queue="q", kind="k", **dict.fromkeys(SUMMED, 0), **EMPTY)
    await clean_all(database)

    assert before == 3
    assert await value(conn, "SELECT count(*) FROM riverrun_minute") == 1


async def test_a_chore_that_fails_keeps_no_other_from_being_done_and_is_tried_again(
    conn: Connection, database: str
) -> None:
    await insert(conn, state="completed", finalized_at=ago("25 hours"))
    await insert(conn, "riverrun_idempotency_key", token="t", key="k", request_hash=b"h", created_at=ago("25 hours"))
    await conn.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;"
        "CREATE TRIGGER refuse BEFORE DELETE ON river_job FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    clock = HandClock()

    async with term_of(settings_for(database)) as term:
        river = RiverLeadership(term)
        pulse = await term.pulse()
        await river.step(pulse)
        cleaner = Cleaner(term, river, monotonic=clock)
        clock.forward(60)
        for _ in range(MORE_THAN_CHORES):
            with suppress(psycopg.errors.RaiseException):
                await cleaner.step(pulse)
        beside_the_refused = await value(conn, "SELECT count(*) FROM riverrun_idempotency_key")
        await conn.execute("DROP TRIGGER refuse ON river_job")
        clock.forward(RETRY_SECONDS)
        await cleaner.step(pulse)

    assert beside_the_refused == 0
    assert await value(conn, "SELECT count(*) FROM river_job") == 0
