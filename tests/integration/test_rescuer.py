"""Jobs of executors that are gone run again; jobs of executors that live are left alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Statements
from riverrun.store import rescue
from riverrun_scheduler import rescuer
from riverrun_scheduler.clock import DatabaseClock
from riverrun_scheduler.rescuer import Rescuer
from riverrun_scheduler.river_leader import RiverLeadership
from riverrun_scheduler.term import Term
from support.contexts import settings_for
from support.eventually import eventually
from support.jobs import Row, ago, changed, insert, job, states
from support.schedulers import settled, term_of

Connection = AsyncConnection[TupleRow]

OURS = "host-1_4711_0a1b2c3d"
GO = "gohost_2026_01_02T03_04_05_123456"


async def running(conn: Connection, incarnation: str = OURS, *, since: str = "1 minute", **columns: Any) -> int:
    values: dict[str, object] = {
        "state": "running",
        "attempt": 1,
        "attempted_at": ago(since),
        "attempted_by": ["an earlier one", incarnation],
        "scheduled_at": ago("2 hours"),
    }
    job_id: int = await insert(conn, **{**values, **columns})
    return job_id


async def lease(conn: Connection, *, until: str, incarnation: str = OURS) -> None:
    await insert(
        conn,
        "riverrun_executor",
        incarnation=incarnation,
        server_id="host-1",
        queue="default",
        slots=1,
        pid=4711,
        lease_until=ago(until),
    )


async def rescue_all(term: Term, service: Rescuer | None = None) -> None:
    river = RiverLeadership(term)
    pulse = await settled(term)
    await river.step(pulse)
    service = service or Rescuer(term, river)
    while await service.step(pulse):
        pass


async def rescued(conn: Connection, database: str, job_id: int, **river: Any) -> tuple[Row, Row]:
    """Return a job before and after a rescue."""
    before = await job(conn, job_id)
    async with term_of(settings_for(database, **river)) as term:
        await rescue_all(term)
    return before, await job(conn, job_id)


@pytest.mark.every_postgres
async def test_a_job_of_an_expired_lease_is_retried_with_exactly_these_columns(conn: Connection, database: str) -> None:
    await lease(conn, until="2 seconds")
    job_id = await running(conn, metadata='{"mine": 1}')

    before, after = await rescued(conn, database, job_id)

    assert changed(before, after) == {"state", "errors", "scheduled_at", "metadata"}
    assert after["state"] == "retryable"
    assert after["metadata"] == {"mine": 1, "river:rescue_count": 1}
    (error,) = after["errors"]
    assert set(error) == {"at", "attempt", "error", "trace"}
    assert (error["attempt"], error["trace"]) == (1, "")
    assert error["at"].endswith("Z")
    wait = after["scheduled_at"] - datetime.fromisoformat(error["at"])
    assert timedelta(seconds=0.9) <= wait <= timedelta(seconds=1.1)


ERROR = '{"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": "e", "trace": ""}'


@pytest.mark.parametrize(
    ("incarnation", "rescues", "seconds"),
    [(OURS, 0, 1), (OURS, 2, 81), (GO, 0, 256)],
    ids=["a first crash", "a third crash", "a job of River's own client counts all errors"],
)
async def test_the_retry_waits_longer_the_more_often_a_job_was_lost(
    conn: Connection, database: str, incarnation: str, rescues: int, seconds: int
) -> None:
    await lease(conn, until="2 seconds")
    job_id = await running(conn, incarnation, since="2 hours", metadata=json.dumps({"river:rescue_count": rescues}))
    await conn.execute("UPDATE river_job SET errors = ARRAY[%s, %s, %s]::jsonb[]", (ERROR, ERROR, ERROR))

    _, after = await rescued(conn, database, job_id, leadership="off")

    wait = (after["scheduled_at"] - datetime.fromisoformat(after["errors"][3]["at"])).total_seconds()
    assert 0.89 * seconds < wait < 1.11 * seconds


async def test_a_job_without_attempts_left_is_discarded(conn: Connection, database: str) -> None:
    await lease(conn, until="2 seconds")
    job_id = await running(conn, attempt=3, max_attempts=3)

    before, after = await rescued(conn, database, job_id)

    assert changed(before, after) == {"state", "errors", "finalized_at", "metadata"}
    assert after["state"] == "discarded"


async def test_a_job_whose_cancellation_was_asked_for_is_cancelled(conn: Connection, database: str) -> None:
    await lease(conn, until="2 seconds")
    metadata = '{"cancel_attempted_at": "2026-01-01T00:00:00Z", "river:rescue_count": 4}'
    job_id = await running(conn, metadata=metadata)

    before, after = await rescued(conn, database, job_id)

    assert changed(before, after) == {"state", "errors", "finalized_at", "metadata"}
    assert after["state"] == "cancelled"
    assert after["metadata"]["river:rescue_count"] == 5


async def test_rescued_jobs_are_counted_in_the_figures_of_the_minute(conn: Connection, database: str) -> None:
    await lease(conn, until="2 seconds")
    for queue in ("mail", "mail", "default"):
        last = await running(conn, queue=queue)

    await rescued(conn, database, last)

    rows = await conn.execute("SELECT queue, kind, sum(rescued), sum(run_seconds) FROM riverrun_minute GROUP BY 1, 2")
    assert sorted(await rows.fetchall()) == [("default", "email", 1, 0), ("mail", "email", 2, 0)]


async def test_metadata_that_is_no_object_does_not_stop_the_rescue(conn: Connection, database: str) -> None:
    await lease(conn, until="2 seconds")
    job_id = await running(conn, metadata='["odd"]')

    _, after = await rescued(conn, database, job_id)

    assert after["metadata"] == {"river:rescue_count": 1}


async def test_rescuer_leaves_a_job_whose_executor_still_beats_however_old_it_is(
    conn: Connection, database: str
) -> None:
    await lease(conn, until="-5 seconds")
    job_id = await running(conn, since="30 days")

    before, after = await rescued(conn, database, job_id)

    assert before == after


async def test_a_forgotten_lease_goes_after_its_jobs_were_rescued(conn: Connection, database: str) -> None:
    await lease(conn, until="2 seconds")
    await lease(conn, until="-5 seconds", incarnation="host-1_1_00000001")
    await running(conn)

    async with term_of(settings_for(database)) as term:
        await rescue_all(term)
        left = await (await conn.execute("SELECT incarnation FROM riverrun_executor")).fetchall()
        assert not (await term.pulse()).leases_expired

    assert left == [("host-1_1_00000001",)]


async def test_nothing_is_rescued_right_after_an_election_or_a_restart_of_postgresql(
    conn: Connection, database: str
) -> None:
    await lease(conn, until="2 seconds")
    await running(conn)

    async with term_of(settings_for(database)) as term:
        pulse = await term.pulse()
        assert pulse.leases_expired
        await Rescuer(term, RiverLeadership(term)).step(pulse)

        assert pulse.settled < rescuer.GRACE
    assert await states(conn) == ["running"]


async def test_nothing_is_rescued_right_after_the_clock_of_the_database_was_set(
    conn: Connection, database: str
) -> None:
    await lease(conn, until="2 seconds")
    await running(conn)
    clock = DatabaseClock()
    clock.read(datetime.now(UTC) - timedelta(minutes=1))  # a minute ago by its clock, a moment ago by ours

    async with term_of(settings_for(database), clock=clock) as term:
        await eventually(lambda: term.session.age > timedelta(milliseconds=50), within=1)
        pulse = await term.pulse()

    assert pulse.leases_expired
    assert pulse.settled < timedelta(milliseconds=50)


async def test_an_executor_without_a_lease_is_lost_only_after_a_while(
    conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await running(conn, since="30 days")
    monkeypatch.setattr(rescuer, "SCAN_SECONDS", 0.0)
    seen: list[str] = []

    async with term_of(settings_for(database)) as term:
        service = Rescuer(term, RiverLeadership(term))
        for missing_seconds in (15.0, 15.0, 0.0):
            monkeypatch.setattr(rescuer, "MISSING_SECONDS", missing_seconds)
            await service.step(await settled(term))
            seen += await states(conn)

    assert seen == ["running", "running", "retryable"]


async def test_a_job_of_another_river_client_is_rescued_by_its_age_alone(conn: Connection, database: str) -> None:
    await running(conn, GO, since="59 minutes")
    await running(conn, GO, since="61 minutes")

    async with term_of(settings_for(database, leadership="off")) as term:
        await rescue_all(term)

    assert await states(conn) == ["running", "retryable"]


async def test_jobs_of_other_clients_are_theirs_while_one_of_them_leads(conn: Connection, database: str) -> None:
    await running(conn, GO, since="2 hours")
    await lease(conn, until="2 seconds")
    await running(conn)
    await insert(conn, "river_leader", leader_id="gohost", elected_at=ago("1 second"), expires_at=ago("-1 hour"))

    async with term_of(settings_for(database, leadership="follow")) as term:
        await rescue_all(term)

    assert await states(conn) == ["running", "retryable"]


async def test_a_job_that_finished_between_scan_and_rescue_is_left_as_it_is(conn: Connection, database: str) -> None:
    statements = Statements()
    await lease(conn, until="2 seconds")
    finished, claimed_anew, untouched = [await running(conn) for _ in range(3)]
    found = await statements.run(conn, rescue.lost(missing=[], stuck_after=None))
    await conn.execute("UPDATE river_job SET state = 'completed', finalized_at = now() WHERE id = %s", (finished,))
    await conn.execute("UPDATE river_job SET attempted_at = now() WHERE id = %s", (claimed_anew,))

    taken = await statements.run(conn, rescue.rescue(found, rescuer.MESSAGES))

    assert [one.id for one in taken] == [untouched]
    assert await states(conn) == ["completed", "running", "retryable"]


async def test_a_job_that_is_being_finished_is_left_and_stops_nobody(conn: Connection, database: str) -> None:
    statements = Statements()
    await lease(conn, until="2 seconds")
    held = await running(conn)
    free = await running(conn)
    found = await statements.run(conn, rescue.lost(missing=[], stuck_after=None))

    async with await AsyncConnection.connect(database) as other:
        await other.execute("SELECT FROM river_job WHERE id = %s FOR UPDATE", (held,))
        taken = await statements.run(conn, rescue.rescue(found, rescuer.MESSAGES))

    assert [one.id for one in taken] == [free]


async def test_all_pages_of_a_big_loss_are_rescued(conn: Connection, database: str) -> None:
    await lease(conn, until="2 seconds")
    await conn.execute(
        "INSERT INTO river_job (kind, args, state, attempt, attempted_at, attempted_by)"
        " SELECT 'email', '{}', 'running', 1, now() - interval '1 minute', ARRAY[%s] FROM generate_series(1, 1234)",
        (OURS,),
    )

    async with term_of(settings_for(database)) as term:
        await rescue_all(term)

    assert set(await states(conn)) == {"retryable"}


async def test_a_supervisor_can_rescue_the_jobs_of_its_child_without_a_term(conn: Connection) -> None:
    statements = Statements()
    mine = await running(conn)
    await running(conn, "host-1_4712_0a1b2c3d")

    jobs = await statements.run(conn, rescue.running_of(OURS))
    taken = await statements.run(conn, rescue.rescue(jobs, {"dead": "the executor was killed by signal 9"}))

    assert [one.id for one in taken] == [mine]
    assert (await job(conn, mine))["errors"][0]["error"] == "the executor was killed by signal 9"
    assert await states(conn) == ["retryable", "running"]


async def test_a_leader_of_an_earlier_term_rescues_nothing(conn: Connection, database: str) -> None:
    await lease(conn, until="2 seconds")
    await running(conn)

    async with term_of(settings_for(database)) as term:
        service = Rescuer(term, RiverLeadership(term))
        pulse = await settled(term)
        await conn.execute("UPDATE riverrun_leader SET generation = generation + 1")
        await service.step(pulse)

    assert await states(conn) == ["running"]
