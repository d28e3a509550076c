"""One scheduler leads, and another one soon after it does not."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database import migrate
from riverrun.database.statements import Statements
from riverrun.errors import ConfigError, SchemaError
from riverrun.store import leader, promote
from riverrun_scheduler.__main__ import main
from riverrun_scheduler.leader import Leader
from riverrun_scheduler.reign import Reign
from riverrun_scheduler.term import TermOver
from support.clocks import HandClock
from support.contexts import context_for, settings_for
from support.eventually import eventually
from support.jobs import ago, insert, states
from support.pooler import transaction_pooler
from support.queries import value
from support.schedulers import running_scheduler, term_of

Connection = AsyncConnection[TupleRow]

HOLDER = "SELECT server_id FROM riverrun_leader WHERE backend_pid IS NOT NULL"
FOLLOWED = "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%asked%' AND pid <> pg_backend_pid()"
GENERATION = "SELECT generation FROM riverrun_leader"


async def leads(conn: Connection, server_id: str) -> bool:
    row = await (await conn.execute(HOLDER)).fetchone()
    return row == (server_id,)


@pytest.mark.every_postgres
async def test_of_two_schedulers_one_leads(conn: Connection, database: str) -> None:
    statements = Statements()
    async with await AsyncConnection.connect(database, autocommit=True) as other:
        first = await statements.run(conn, leader.elect("one"))
        second = await statements.run(other, leader.elect("two"))

    assert (first.generation, first.stalled) == (1, False)
    assert (second.generation, second.stalled) == (None, False)


async def test_the_generation_rises_with_every_term(conn: Connection, database: str) -> None:
    for expected in (1, 2, 3):
        async with term_of(settings_for(database)) as term:
            assert term.generation == expected


async def test_leadership_works_without_the_leaders_row(conn: Connection, database: str) -> None:
    await conn.execute("DELETE FROM riverrun_leader")

    async with term_of(settings_for(database)) as term:
        await term.pulse()

    assert await value(conn, GENERATION) == 1


async def test_a_pulse_tells_what_is_due(conn: Connection, database: str) -> None:
    soonest = await insert(conn, state="retryable", scheduled_at=ago("1 minute"))
    await insert(conn, state="scheduled", scheduled_at=ago("-1 minute"))

    async with term_of(settings_for(database)) as term:
        before = await term.pulse()
        await insert(conn, "riverrun_schedule", name="a", kind="b", expression="* * * * *", queue="c", source="api")
        after = await term.pulse()

    assert before.soonest_due == await value(conn, f"SELECT scheduled_at FROM river_job WHERE id = {soonest}")
    assert before.schedules != after.schedules
    assert not before.leases_expired
    assert before.river_leader is None


async def test_a_pulse_of_an_earlier_term_ends_the_reign(conn: Connection, database: str) -> None:
    async with term_of(settings_for(database)) as term:
        await conn.execute("UPDATE riverrun_leader SET generation = generation + 1")

        with pytest.raises(TermOver, match="another scheduler leads"):
            await term.pulse()


async def test_a_leader_without_an_answer_for_three_seconds_steps_down(conn: Connection, database: str) -> None:
    clock = HandClock()
    async with term_of(settings_for(database), monotonic=clock) as term:
        clock.forward(3.0)

        with pytest.raises(TermOver, match="not confirmed"):
            await term.pulse()


async def test_a_scheduler_that_stops_hands_over_at_once(conn: Connection, database: str) -> None:
    async with running_scheduler(settings_for(database, server_id="one")) as first:
        await eventually(lambda: leads(conn, "one"), within=5)
        async with running_scheduler(settings_for(database, server_id="two")):
            await eventually(
                lambda: value(conn, "SELECT count(*) > 1 FROM pg_stat_activity WHERE query LIKE '%asked%'"), within=5
            )
            first.draining.set()
            await eventually(lambda: leads(conn, "two"), within=0.5)


async def test_a_leader_outlasts_a_lock_on_the_jobs_and_hands_over_in_the_middle_of_it(
    conn: Connection, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_scheduler(settings_for(database)) as context:
        await eventually(lambda: leads(conn, "test-host"), within=5)
        async with await AsyncConnection.connect(database) as operator:
            await operator.execute("LOCK TABLE river_job")

            await eventually(
                lambda: value(conn, "SELECT heartbeat_at - elected_at > interval '3 seconds' FROM riverrun_leader"),
                within=10,
            )
            assert await value(conn, GENERATION) == 1
            assert caplog.messages.count("leader_locked_out") == 1

            context.draining.set()
            await eventually(lambda: value(conn, "SELECT backend_pid IS NULL FROM riverrun_leader"), within=3)

    assert "election_interrupted" not in caplog.messages


SLOW_BEGINNING = """
ALTER TABLE river_job RENAME TO job_row;
CREATE FUNCTION passed(scheduled_at timestamptz) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(3) WHERE scheduled_at < '2020-01-01';
    RETURN scheduled_at > '2020-01-01';
END $$;
CREATE VIEW river_job AS SELECT * FROM job_row WHERE passed(scheduled_at);
"""
"""Stands for an index that begins with millions of entries of dead rows: no look from there comes to its end."""


async def test_a_leader_that_cannot_look_at_all_due_jobs_in_time_stays_the_leader_and_promotes_those_that_come_due(
    conn: Connection, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    await insert(conn, state="scheduled", scheduled_at="2019-01-01")
    await conn.execute(SLOW_BEGINNING.encode())
    often = {"often": {"task_type": "report", "every": "1s"}}

    async with running_scheduler(settings_for(database, schedules=often)):
        await insert(conn, state="scheduled", scheduled_at=ago("10 minutes"))
        await insert(conn, state="scheduled", scheduled_at=ago("-5 seconds"))

        waiting = "SELECT count(*) FROM job_row WHERE state = 'scheduled' AND scheduled_at > '2020-01-01'"
        await eventually(lambda: value(conn, f"SELECT ({waiting}) = 0"), within=12)
        await eventually(lambda: value(conn, "SELECT count(*) > 1 FROM riverrun_schedule_tick"), within=5)

    assert await value(conn, GENERATION) == 1
    assert "leader_slowed_down" in caplog.messages


@pytest.mark.parametrize("never", ["infinity", "-infinity", "20000-01-01", "4000-01-01 BC"])
async def test_a_job_that_is_due_beyond_all_calendars_stops_no_leader(
    conn: Connection, database: str, never: str
) -> None:
    query = "INSERT INTO river_job (kind, args, state, scheduled_at) VALUES ('a', '{}', 'scheduled', %s)"
    await conn.execute(query.encode(), (never,))

    async with term_of(settings_for(database)) as term:
        pulse = await term.pulse()
        promoted = await term.run(promote.promote(term.generation, batch=10))

    assert pulse.soonest_due is not None
    assert abs(pulse.soonest_due - pulse.now) == timedelta(days=1)
    assert promoted.promoted == (pulse.soonest_due < pulse.now)


async def test_a_follower_takes_over_when_the_leaders_session_is_ended(conn: Connection, database: str) -> None:
    async with running_scheduler(settings_for(database, server_id="one")):
        await eventually(lambda: leads(conn, "one"), within=5)
        before = await value(conn, GENERATION)
        await conn.execute("SELECT pg_terminate_backend(backend_pid) FROM riverrun_leader")

        await eventually(lambda: value(conn, f"SELECT generation > {before} FROM riverrun_leader"), within=5)


async def test_a_follower_ends_the_session_of_a_leader_that_shows_no_life(conn: Connection, database: str) -> None:
    statements = Statements()
    frozen = await AsyncConnection.connect(database, autocommit=True)
    await statements.run(frozen, leader.elect("frozen"))
    await conn.execute("UPDATE riverrun_leader SET heartbeat_at = now() - interval '7 seconds'")

    async with running_scheduler(settings_for(database, server_id="two")):
        await eventually(lambda: leads(conn, "two"), within=3)

    with pytest.raises(psycopg.OperationalError):
        await frozen.execute("UPDATE river_job SET priority = 1")
    await frozen.close()


async def test_the_session_of_a_scheduler_that_does_not_hold_the_lock_is_never_ended(conn: Connection) -> None:
    await conn.execute(
        "UPDATE riverrun_leader SET backend_pid = pg_backend_pid(), heartbeat_at = now() - interval '1 hour'"
    )

    assert await Statements().run(conn, leader.terminate_stalled()) is None


async def test_two_schemas_of_one_database_have_a_leader_each(conn: Connection, database: str) -> None:
    await conn.execute("CREATE SCHEMA other")
    await conn.execute("CREATE TABLE other.riverrun_leader (LIKE public.riverrun_leader INCLUDING ALL)")

    async with await AsyncConnection.connect(database, autocommit=True) as second:
        here = await Statements("public").run(conn, leader.elect("one"))
        there = await Statements("other").run(second, leader.elect("one"))

    assert (here.generation, there.generation) == (1, 1)


async def test_a_database_that_can_only_be_read_is_not_led_on(
    conn: Connection, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = await value(conn, "SELECT current_database()")
    await conn.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())

    with caplog.at_level(logging.ERROR):
        async with running_scheduler(settings_for(database)):
            await eventually(lambda: "database_read_only" in caplog.messages, within=5)
            assert await value(conn, GENERATION) == 0
            await conn.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
            await eventually(lambda: leads(conn, "test-host"), within=10)


async def test_a_pooler_that_shares_sessions_is_refused_with_a_sentence(database: str) -> None:
    async with transaction_pooler(database) as pooled:
        with pytest.raises(ConfigError, match="lends one session to several clients"):
            async with asyncio.timeout(10):
                await Leader(context_for("scheduler", settings_for(pooled))).run()


async def test_a_database_without_the_tables_ends_the_process_with_the_command_to_run(empty_database: str) -> None:
    with pytest.raises(SchemaError, match="queuectl migrate up"):
        await asyncio.wait_for(main(context_for("scheduler", settings_for(empty_database))), 5)


async def test_a_service_that_fails_stops_no_other(
    conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await insert(conn, state="scheduled", scheduled_at=ago("1 second"))
    await conn.execute("ALTER TABLE riverrun_schedule RENAME COLUMN tags TO labels")

    async with term_of(settings_for(database)) as term:
        reign = Reign(term, context_for("scheduler", settings_for(database)))
        await reign._turn(await term.pulse())

    assert await states(conn) == ["available"]


async def test_a_pulse_that_is_due_goes_before_the_next_step(conn: Connection, database: str) -> None:
    await insert(conn, state="scheduled", scheduled_at=ago("1 second"))

    clock = HandClock()
    async with term_of(settings_for(database), monotonic=clock) as term:
        reign = Reign(term, context_for("scheduler", settings_for(database)))
        pulse = await term.pulse()
        clock.forward(1.0)

        assert await reign._turn(pulse)

    assert await states(conn) == ["scheduled"]


async def test_a_reload_takes_over_the_new_configuration_in_mid_term(
    conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_scheduler(settings_for(database)) as context:
        await eventually(lambda: leads(conn, "test-host"), within=5)
        changed = settings_for(database, schedules={"daily": {"task_type": "report", "cron": "@daily"}})
        monkeypatch.setattr(context, "reread", lambda: setattr(context, "settings", changed))
        context.reload.set()

        await eventually(lambda: value(conn, "SELECT count(*) = 1 FROM riverrun_schedule"), within=5)


async def test_a_scheduler_works_in_a_schema_of_its_own(empty_database: str, caplog: pytest.LogCaptureFixture) -> None:
    often = {"often": {"task_type": "report", "every": "1s"}}
    settings = settings_for(empty_database, schema="jobs", schedules=often, retention={"completed": "1h"})
    async with await AsyncConnection.connect(empty_database, autocommit=True) as conn:
        await migrate.up(conn, "jobs")
        await conn.execute("SET search_path = jobs")
        await insert(conn, state="scheduled", scheduled_at=ago("1 second"))
        await insert(conn, state="completed", finalized_at=ago("2 hours"))

        async with running_scheduler(settings):
            await eventually(lambda: value(conn, "SELECT count(*) > 1 FROM riverrun_schedule_tick"), within=5)
            await eventually(
                lambda: value(conn, "SELECT count(*) = 0 FROM river_job WHERE state = 'completed'"), within=8
            )

        assert await value(conn, "SELECT state::text FROM river_job ORDER BY id LIMIT 1") == "available"
    assert "failed" not in caplog.text
