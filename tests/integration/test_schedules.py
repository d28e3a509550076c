"""Each tick of each schedule is enqueued once; whoever manages schedules is answered in sentences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from riverrun.database.statements import Statements
from riverrun.errors import Conflict, InvalidInput, NotFound, StaleRevision
from riverrun.schedule import NewSchedule, new_schedule
from riverrun.store import schedules as store
from riverrun_scheduler.schedules import Schedules
from support.contexts import settings_for
from support.jobs import ago, insert, job, states
from support.queries import value
from support.schedulers import term_of, ticked

Connection = AsyncConnection[TupleRow]
run = Statements().run


async def scheduled(conn: Connection, name: str = "report", **columns: object) -> None:
    """Put a schedule into the table as the API would, with times of the test's choice."""
    values: dict[str, object] = {
        "kind": "report",
        "expression": "0 * * * *",
        "queue": "default",
        "source": "api",
        "created_at": ago("1 second"),
    }
    await insert(conn, "riverrun_schedule", name=name, **{**values, **columns})


async def enqueued(conn: Connection) -> dict[str, int]:
    """Return how many jobs there are of each kind."""
    rows = await (await conn.execute("SELECT kind, count(*) FROM river_job GROUP BY kind")).fetchall()
    return dict(rows)


def hours_ago(hours: int) -> str:
    """Return a daily expression whose newest tick was so many hours ago, or up to a minute more."""
    moment = datetime.now(UTC) - timedelta(hours=hours)
    return f"{moment.minute} {moment.hour} * * *"


async def overdue(conn: Connection) -> datetime | None:
    (found,) = await run(conn, store.list_all())
    return found.overdue_since(datetime.now(UTC))


def schedule(**changes: Any) -> NewSchedule:
    return new_schedule("report", **{"kind": "report", "cron": "0 6 * * *", **changes})


@pytest.mark.every_postgres
async def test_a_tick_becomes_one_job_with_exactly_these_columns(conn: Connection, database: str) -> None:
    await scheduled(
        conn,
        expression="0 * * * *",
        args='{"n": 12345678901234567890.5}',
        queue="mail",
        priority=4,
        max_attempts=7,
        tags=["nightly"],
        metadata='{"team": "x"}',
        created_at=sql.SQL("date_trunc('hour', now()) - interval '1 ms'"),
    )

    async with term_of(settings_for(database)) as term:
        await ticked(term)

    job_id, due = await (await conn.execute("SELECT job_id, tick FROM riverrun_schedule_tick")).fetchone() or (0, None)
    row = await job(conn, job_id)
    assert row["metadata"].pop("riverrun:tick") == due.isoformat()
    assert row["metadata"] == {
        "team": "x",
        "periodic": True,
        "river:periodic_job_id": "report",
        "riverrun:schedule": "report",
    }
    assert (row["kind"], row["queue"], row["priority"], row["max_attempts"]) == ("report", "mail", 4, 7)
    assert (row["tags"], row["state"], row["attempt"], row["unique_key"]) == (["nightly"], "available", 0, None)
    assert await value(conn, "SELECT args::text FROM river_job") == '{"n": 12345678901234567890.5}'
    assert await value(conn, "SELECT last_tick FROM riverrun_schedule") == due


async def test_a_schedule_without_priority_and_attempts_takes_those_of_the_configuration(
    conn: Connection, database: str
) -> None:
    await scheduled(conn, expression="@every 1s", queue="mail")

    async with term_of(settings_for(database, queues={"mail": {"priority": 3}}, max_attempts=9)) as term:
        await ticked(term)

    assert await (await conn.execute("SELECT DISTINCT priority, max_attempts FROM river_job")).fetchall() == [(3, 9)]


async def test_a_schedule_without_attempts_takes_those_of_the_handler(conn: Connection, database: str) -> None:
    await insert(conn, "riverrun_handler", kind="report", handler_name="report", handler_type="local", retry_count=2)
    await scheduled(conn, expression="@every 1s")

    async with term_of(settings_for(database, max_attempts=9)) as term:
        await ticked(term)

    assert await (await conn.execute("SELECT DISTINCT max_attempts FROM river_job")).fetchall() == [(3,)]


async def test_a_new_schedule_starts_with_the_first_tick_after_it_was_made(conn: Connection, database: str) -> None:
    await scheduled(conn, expression="0 0 1 1 *")

    async with term_of(settings_for(database)) as term:
        service = await ticked(term)

    assert await states(conn) == []
    assert service.next_at == datetime(datetime.now(UTC).year + 1, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("missed", "expected"), [("latest", 1), ("skip", 0), ("all", 5)])
async def test_ticks_of_a_downtime_follow_the_policy(
    conn: Connection, database: str, missed: str, expected: int
) -> None:
    last_tick = sql.SQL("date_trunc('minute', now()) - interval '10 minutes 20 seconds'")
    # Ticks every other minute, but not in this one: the newest is at least a minute old, and five were missed.
    expression = sql.SQL(
        "CASE WHEN extract(minute FROM now())::int % 2 = 0 THEN '1-59/2 * * * *' ELSE '*/2 * * * *' END"
    )
    await scheduled(conn, expression=expression, missed=missed, last_tick=last_tick)

    async with term_of(settings_for(database)) as term:
        await ticked(term)

    assert len(await states(conn)) == expected


@pytest.mark.parametrize("missed", ["latest", "skip"])
async def test_a_schedule_is_overdue_until_a_leader_leaves_its_tick_out(
    conn: Connection, database: str, missed: str
) -> None:
    await scheduled(conn, expression=hours_ago(3), missed=missed, last_tick=ago("4 hours"))
    while_nobody_led = await overdue(conn)

    async with term_of(settings_for(database)) as term:
        await ticked(term)

    assert while_nobody_led is not None
    assert await overdue(conn) is None
    assert await states(conn) == []


async def test_a_schedule_whose_job_cannot_be_enqueued_stays_overdue(conn: Connection, database: str) -> None:
    await scheduled(conn, expression="@every 1h", missed="all", last_tick=ago("3 hours"))
    await conn.execute("ALTER TABLE river_job ADD CONSTRAINT no_reports CHECK (kind <> 'report')")

    async with term_of(settings_for(database)) as term:
        await ticked(term)

    assert await overdue(conn) is not None


async def test_a_paused_schedule_enqueues_nothing_and_leaves_out_the_ticks_of_its_pause(
    conn: Connection, database: str
) -> None:
    await scheduled(conn, expression="0 3 * * *", missed="all", last_tick=ago("9 days"), paused_at=ago("9 days"))

    async with term_of(settings_for(database)) as term:
        service = await ticked(term)
        while_paused = await states(conn)
        await run(conn, store.resume("report"))
        await ticked(term, service)

    assert while_paused == []
    assert await states(conn) == []


async def test_a_tick_that_was_enqueued_by_another_leader_is_not_enqueued_again(
    conn: Connection, database: str
) -> None:
    await scheduled(conn, expression="@every 1s")

    async with term_of(settings_for(database)) as term:
        read = (await run(conn, store.list_all()))[0]
        ticks = [datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC) for second in (1, 2)]
        wanted: dict[str, Any] = {"settled": ticks[-1], "priority": 1, "max_attempts": 25}
        first = await term.run(store.enqueue_ticks(term.generation, read, ticks, **wanted))
        same_reading = await term.run(store.enqueue_ticks(term.generation, read, ticks, **wanted))
        await conn.execute("UPDATE riverrun_schedule SET last_tick = NULL")
        last_tick_lost = await term.run(store.enqueue_ticks(term.generation, read, ticks, **wanted))

    assert first is not None
    assert len(first) == 2
    assert same_reading is None
    assert last_tick_lost == []
    assert len(await states(conn)) == 2


async def test_a_leader_of_an_earlier_term_enqueues_nothing(conn: Connection, database: str) -> None:
    await scheduled(conn, expression="@every 1s")

    async with term_of(settings_for(database)) as term:
        pulse = await term.pulse()
        service = Schedules(term)
        await conn.execute("UPDATE riverrun_leader SET generation = generation + 1")
        while await service.step(pulse):
            pass

    assert await states(conn) == []


async def test_a_row_that_cannot_be_read_stops_no_other_schedule(conn: Connection, database: str) -> None:
    await scheduled(conn, "broken", expression="61 * * * *")
    await scheduled(conn, "fine", expression="@every 1s")

    async with term_of(settings_for(database)) as term:
        await ticked(term)

    assert await value(conn, "SELECT DISTINCT metadata ->> 'riverrun:schedule' FROM river_job") == "fine"


async def test_a_schedule_whose_key_waits_for_a_transaction_stops_no_other_and_makes_up_for_it(
    conn: Connection, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    once = '{"by_args": true}'
    await scheduled(conn, "waits", kind="waits", unique_by=once, expression="@every 1s", created_at=ago("9 seconds"))
    await scheduled(conn, "fine", kind="fine", expression="@every 1s", created_at=ago("2 seconds"))

    async with term_of(settings_for(database)) as term, await AsyncConnection.connect(database) as other:
        service = await ticked(term)
        before = await enqueued(conn)
        await other.execute("UPDATE river_job SET state = 'cancelled', finalized_at = now() WHERE kind = 'waits'")
        await ticked(term, service, later=2)
        while_it_waits = await enqueued(conn)
        await other.commit()
        await ticked(term, service, later=4)
        rested = await enqueued(conn)
        await ticked(term, service, later=8)

    assert (before["waits"], while_it_waits["waits"], rested["waits"]) == (1, 1, 1)
    assert before["fine"] < while_it_waits["fine"] < rested["fine"]
    assert (await enqueued(conn))["waits"] == 2
    assert caplog.messages.count("schedule_postponed") == 1


async def test_a_schedule_whose_jobs_a_trigger_refuses_stops_no_other_and_loses_no_tick(
    conn: Connection, database: str
) -> None:
    await conn.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON river_job"
        " FOR EACH ROW WHEN (NEW.kind = 'bad') EXECUTE FUNCTION refuse()"
    )
    begun = datetime.now(UTC) - timedelta(seconds=3)
    for name in ("bad", "fine"):
        await scheduled(conn, name, kind=name, expression="@every 1s", missed="all", created_at=begun)

    async with term_of(settings_for(database)) as term:
        service = await ticked(term)
        while_refused = await enqueued(conn)
        await conn.execute("DROP TRIGGER refuse ON river_job")
        await ticked(term, service, later=30)

    assert while_refused["fine"] >= 3
    assert "bad" not in while_refused
    assert (await enqueued(conn))["bad"] == (await enqueued(conn))["fine"]


async def test_schedules_of_the_configuration_are_added_changed_and_removed(conn: Connection, database: str) -> None:
    await scheduled(conn, "by-api", kind="mine")
    await scheduled(conn, "dropped", source="config")
    await scheduled(conn, "paused", source="config", paused_at=ago("1 hour"), expression="0 6 * * *")
    given: dict[str, dict[str, object]] = {
        "added": {"task_type": "report", "every": "90s", "task_params": {"n": 1}, "tags": ["abc"], "priority": 2},
        "by-api": {"task_type": "other", "cron": "@daily"},
        "paused": {"task_type": "report", "cron": "0 7 * * *"},
    }

    async with term_of(settings_for(database, schedules=given)) as term:
        await ticked(term)
    found = {one.name: one for one in await run(conn, store.list_all())}

    assert set(found) == {"added", "by-api", "paused"}
    assert found["added"].expression == "@every 1m30s"
    assert (found["added"].source, found["added"].tags, found["added"].priority) == ("config", ("abc",), 2)
    assert found["by-api"].kind == "mine"
    assert found["paused"].expression == "0 7 * * *"
    assert found["paused"].paused_at is not None


async def test_a_schedule_of_the_configuration_that_did_not_change_keeps_its_revision(
    conn: Connection, database: str
) -> None:
    given: dict[str, dict[str, object]] = {"daily": {"task_type": "report", "cron": "@daily", "task_params": {"a": 1}}}

    revisions = []
    for _ in range(2):
        async with term_of(settings_for(database, schedules=given)) as term:
            await ticked(term)
        revisions.append((await run(conn, store.get("daily"))).revision)

    assert revisions[0] == revisions[1]


async def test_create_get_update_delete(conn: Connection) -> None:
    made = await run(conn, store.create(schedule(args={"a": 1}, tags=["abc"], metadata={"k": "v"}, missed="all")))
    changed = await run(conn, store.update(schedule(priority=5), revision=made.revision))
    await run(conn, store.delete("report", revision=changed.revision))

    assert (made.source, made.args_text, made.tags, made.missed) == ("api", '{"a": 1}', ("abc",), "all")
    assert changed.priority == 5
    assert changed.revision > made.revision
    assert changed.last_tick is None
    assert await run(conn, store.list_all()) == []


async def test_another_expression_starts_from_the_change(conn: Connection) -> None:
    await run(conn, store.create(schedule()))

    changed = await run(conn, store.update(schedule(cron="* * * * *", missed="all")))

    assert changed.last_tick == changed.updated_at


async def test_a_change_by_somebody_who_saw_an_older_revision_is_refused(conn: Connection) -> None:
    made = await run(conn, store.create(schedule()))
    await run(conn, store.pause("report"))

    with pytest.raises(StaleRevision, match="schedule report was changed meanwhile"):
        await run(conn, store.update(schedule(), revision=made.revision))
    with pytest.raises(StaleRevision):
        await run(conn, store.delete("report", revision=made.revision))


async def test_a_schedule_of_the_configuration_cannot_be_changed_but_paused(conn: Connection) -> None:
    await scheduled(conn, source="config")

    with pytest.raises(Conflict, match="comes from the configuration"):
        await run(conn, store.update(schedule()))
    with pytest.raises(Conflict, match="comes from the configuration"):
        await run(conn, store.delete("report"))
    assert (await run(conn, store.pause("report"))).paused_at is not None
    assert (await run(conn, store.resume("report"))).paused_at is None


async def test_a_name_that_is_taken_and_names_that_are_not_there(conn: Connection) -> None:
    await run(conn, store.create(schedule()))

    with pytest.raises(Conflict, match="schedule report exists already"):
        await run(conn, store.create(schedule()))
    for steps in (
        store.get("x-1"),
        store.pause("x-1"),
        store.resume("x-1"),
        store.delete("x-1"),
        store.run_now("x-1", priority=1, max_attempts=25),
    ):
        with pytest.raises(NotFound, match="schedule x-1 does not exist"):
            await run(conn, steps)


async def test_run_now_enqueues_a_job_and_leaves_the_ticks_alone(conn: Connection) -> None:
    await scheduled(conn, last_tick=ago("1 hour"), metadata='{"k": "v"}', tags=["abc"])
    before = await run(conn, store.get("report"))

    result = await run(conn, store.run_now("report", priority=6, max_attempts=3))

    assert (result.job.priority, result.job.max_attempts, result.job.tags) == (6, 3, ("abc",))
    marks = {"periodic": True, "river:periodic_job_id": "report", "riverrun:schedule": "report"}
    assert result.job.metadata == {"k": "v", **marks}
    assert await run(conn, store.get("report")) == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cron": None}, "cron"),
        ({"every": timedelta(seconds=5)}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": "* * * * * *"}, "cron"),
        ({"cron": None, "every": timedelta(milliseconds=200)}, "every"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"kind": ""}, "kind"),
        ({"args": "[1]"}, "args"),
        ({"queue": "Big"}, "queue"),
        ({"priority": 10}, "priority"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"tags": ["a,b"]}, "tags.0"),
        ({"metadata": {"riverrun:tick": 1}}, "metadata.riverrun:tick"),
        ({"missed": "never"}, "missed"),
    ],
)
def test_what_a_schedule_may_not_be_is_refused_by_its_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        schedule(**changes)

    assert refused.value.field == field
