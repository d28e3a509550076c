"""The doctor finds each thing that was broken here, and what it says mends it."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from riverrun.database.statements import Statements
from riverrun.pooler import shares_sessions
from riverrun.settings.schema import Settings
from riverrun.store import health
from riverrun.store.health import DatabaseFacts, VacuumFacts
from riverrun.store.horizon import Pin
from riverrun_cli.doctor import server, tables
from riverrun_cli.doctor.examine import examine
from riverrun_cli.doctor.finding import Finding
from riverrun_cli.doctor.horizon import of_pins
from riverrun_cli.schedule import schedule
from support.contexts import settings_for
from support.jobs import ago, insert
from support.pinning import abandoned_slot, prepared_transaction
from support.pooler import transaction_pooler

Connection = AsyncConnection[TupleRow]
run = Statements().run

ALWAYS = {"durability", "leader"}
"""What is wrong with every database of the tests: made for speed, and nobody leads."""


async def found(database: str, settings: Settings | None = None) -> dict[str, Finding]:
    """Return what is wrong besides, by check."""
    everything = await examine(database, settings or settings_for(database))
    return {finding.check: finding for finding in everything if finding.check not in ALWAYS}


@pytest.mark.every_postgres
async def test_tables_as_they_were_made_are_healthy(database: str) -> None:
    assert await found(database) == {}


BROKEN = {
    "a missing live index": ("DROP INDEX riverrun_job_live_index", "indexes", "riverrun_job_live_index is missing"),
    "a missing due index": ("DROP INDEX riverrun_job_due_index", "indexes", "riverrun_job_due_index is missing"),
    "an index half built": (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'riverrun_job_live_index'::regclass",
        "indexes",
        "riverrun_job_live_index is not valid",
    ),
    "what a REINDEX left": (
        "CREATE INDEX riverrun_job_due_index_ccnew1 ON river_job (id)", "indexes", "left behind by a REINDEX",
    ),
    "River's own range of priorities": (
        ("ALTER TABLE river_job DROP CONSTRAINT priority_in_range,"
        " ADD CONSTRAINT priority_in_range CHECK (priority >= 1 AND priority <= 4)"),
        "priority",
        "jobs of priority 5 to 9 are refused",
    ),
    "any priority": ("ALTER TABLE river_job DROP CONSTRAINT priority_in_range", "priority", "is missing"),
    "priorities never checked": (
        ("ALTER TABLE river_job DROP CONSTRAINT priority_in_range,"
        " ADD CONSTRAINT priority_in_range CHECK (priority >= 1 AND priority <= 9) NOT VALID"),
        "priority",
        "never checked",
    ),
    "no autovacuum": ("ALTER TABLE river_job SET (autovacuum_enabled = off)", "vacuum", "off for river_job"),
}  # fmt: skip


@pytest.mark.parametrize(("breaks", "check", "says"), BROKEN.values(), ids=BROKEN)
async def test_what_is_broken_in_the_tables_is_found_and_mended_by_what_is_said(
    conn: Connection, database: str, breaks: str, check: str, says: str
) -> None:
    await conn.execute(breaks.encode())

    before = await found(database)
    await conn.execute(before[check].mend.encode())

    assert set(before) == {check}
    assert says in before[check].finding
    assert await found(database) == {}


async def test_a_schema_of_its_own_is_named_in_what_mends(empty_database: str) -> None:
    from riverrun.database import migrate  # noqa: PLC0415

    settings = settings_for(empty_database, schema="q")
    async with await AsyncConnection.connect(empty_database, autocommit=True) as conn:
        await migrate.up(conn, "q")
        await conn.execute("DROP INDEX q.riverrun_job_live_index")
        before = await found(empty_database, settings)
        await conn.execute(before["indexes"].mend.encode())

    assert set(before) == {"indexes"}, before
    assert await found(empty_database, settings) == {}


async def test_privileges_that_are_missing_are_named_and_granted(conn: Connection, database: str) -> None:
    await conn.execute("DROP ROLE IF EXISTS doctor_visitor")
    await conn.execute("CREATE ROLE doctor_visitor LOGIN")
    try:
        await conn.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO doctor_visitor")
        as_visitor = make_conninfo(database, user="doctor_visitor")
        before = [each for each in await examine(as_visitor, settings_for(database)) if each.check == "privileges"]
        for finding in before:
            await conn.execute(finding.mend.encode())
        after = await found(as_visitor)
    finally:
        await conn.execute("DROP OWNED BY doctor_visitor")
        await conn.execute("DROP ROLE doctor_visitor")

    assert {each.mend for each in before} >= {
        'GRANT DELETE, INSERT, UPDATE ON TABLE "public"."river_job" TO "doctor_visitor";',
        'GRANT USAGE ON SEQUENCE "public"."river_job_id_seq" TO "doctor_visitor";',
    }
    assert after == {}


async def test_every_relation_of_ours_is_among_those_that_need_privileges(conn: Connection) -> None:
    rows = await (
        await conn.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'S') AND relnamespace = 'public'::regnamespace"
        )
    ).fetchall()

    assert {row[0] for row in rows} - set(tables.NEEDED_PRIVILEGES) <= {
        "river_client", "river_client_queue", "river_notification", "river_notification_id_seq",
    }  # fmt: skip


async def test_a_pooler_in_transaction_mode_is_recognized(database: str) -> None:
    async with transaction_pooler(database) as pooled:
        through = await shares_sessions(pooled, name="test")

    assert through
    assert not await shares_sessions(database, name="test")


async def test_work_that_nobody_does_is_found(conn: Connection, database: str) -> None:
    await insert(conn, queue="mail", scheduled_at=ago("10 minutes"))
    await insert(conn, queue="paused", kind="known", scheduled_at=ago("10 minutes"))
    await insert(conn, queue="busy", kind="known", scheduled_at=ago("10 minutes"))
    await insert(conn, "river_queue", name="paused", paused_at=ago("1 hour"))
    await insert(conn, "riverrun_handler", kind="known", handler_name="known", handler_type="local")
    await insert(conn, "riverrun_executor", **executor("h:1", queue="busy", lease_until=ago("-1 minute")))

    problems = await found(database)

    assert set(problems) == {"unserved", "unhandled"}
    assert re.match(r"jobs wait in queue mail, 1 by now and the oldest for 10 min,", problems["unserved"].finding)
    assert problems["unhandled"].finding.startswith("kind email has no handler, and at least 1 of its jobs wait")


async def test_executors_of_which_only_traces_are_left_are_named(conn: Connection, database: str) -> None:
    await insert(conn, "riverrun_executor", **executor("host:aaaaaaaaaaaa", lease_until=ago("5 minutes")))
    await insert(
        conn, state="running", kind="known", attempted_at=ago("1 hour"), attempted_by=["gone_7_bbbbbbbb"], attempt=1
    )

    everything = await examine(database, settings_for(database))
    said = [finding.finding for finding in everything if finding.check == "executors"]

    assert said[0].startswith("executor host:aaaaaaaaaaaa of queue default had its lease until 5 min ago")
    assert said[1:] == ["jobs are marked as run by gone_7_bbbbbbbb, of which no host knows"]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"expression": "@every 10m", "last_tick": ago("1 hour")}, "schedule s was due at"),
        ({"expression": "@every 45m", "missed": "skip", "last_tick": ago("1 hour")}, "schedule s was due at"),
        ({"expression": "61 * * * *"}, "schedule s is never due"),
        ({"expression": "@daily", "timezone": "Mars/Base"}, "schedule s is never due"),
        ({"expression": "@every 168h", "last_tick": ago("1 minute")}, None),
        ({"expression": "@every 10m", "last_tick": ago("1 hour"), "paused_at": ago("1 hour")}, None),
    ],
)
async def test_schedules_that_are_late_or_never_due_are_found(
    conn: Connection, database: str, columns: dict[str, Any], says: str | None
) -> None:
    await insert(conn, "riverrun_schedule", **{"name": "s", "kind": "k", "queue": "q", "source": "api", **columns})

    problems = await found(database)

    assert set(problems) == ({"schedules"} if says else set())
    assert problems["schedules"].finding.startswith(says) if says else True


async def test_a_schedule_that_cannot_be_read_is_mended_by_commands_that_there_are(
    conn: Connection, database: str
) -> None:
    made = {"name": "s", "kind": "k", "queue": "q", "source": "api", "expression": "61 * * * *"}
    await insert(conn, "riverrun_schedule", **made)

    mend = (await found(database))["schedules"].mend

    assert mend == "queuectl schedule delete s; then: queuectl schedule create s --kind k --queue q --cron …"
    for command in mend.split("; then: "):
        program, noun, verb, *words = command.split()
        assert (program, noun) == ("queuectl", "schedule")
        known = {option for param in schedule.commands[verb].params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= known


async def test_who_else_leads_among_rivers_clients_is_found(conn: Connection, database: str) -> None:
    await insert(
        conn,
        "river_leader",
        name="default",
        leader_id="go-client",
        elected_at=ago("1 minute"),
        expires_at=ago("-1 hour"),
    )

    assert "go-client" in (await found(database))["river_leader"].finding
    assert await found(database, settings_for(database, leadership="follow")) == {}


async def test_a_leader_that_fell_silent_is_none(conn: Connection, database: str) -> None:
    await conn.execute("UPDATE riverrun_leader SET server_id = 'host-a', heartbeat_at = now() - interval '5 minutes'")
    silent = [each for each in await examine(database, settings_for(database)) if each.check == "leader"]
    await conn.execute("UPDATE riverrun_leader SET heartbeat_at = now()")
    leading = [each for each in await examine(database, settings_for(database)) if each.check == "leader"]

    assert silent[0].finding.startswith("no scheduler leads for 5 min, the last was host-a")
    assert leading == []


async def test_a_slot_that_was_left_behind_is_found(conn: Connection, database: str) -> None:
    async with abandoned_slot(conn, database, "far_standby"):
        pinned = (await found(database))["horizon"]

    assert "the inactive replication slot far_standby" in pinned.finding
    assert pinned.mend.startswith("SELECT pg_drop_replication_slot('far_standby');")


async def test_a_young_transaction_is_no_finding(conn: Connection, database: str) -> None:
    async with prepared_transaction(conn, "two-phase"):
        assert await found(database) == {}


@pytest.mark.parametrize(
    ("changes", "says", "mend"),
    [
        ({}, ("process 7 of user app (report, idle in transaction) has a transaction open for 10 min, its statement"
         " begins 'SELECT secret FROM'"), "SELECT pg_terminate_backend(7);"),
        ({"seconds": None, "state": None, "statement": None, "transactions": 20_000}, ("process 7 of user app (report,"
         " state hidden from this role) has a transaction open since 20000 transactions"),
         "SELECT pg_terminate_backend(7);"),
        ({"what": "prepared", "name": "it's"}, 'the prepared transaction "it\'s" of user app',
         "ROLLBACK PREPARED 'it''s';"),
        ({"what": "standby", "seconds": None, "transactions": 20_000}, "a standby (report, process 7)",
         "end the long query on the standby"),
    ],
)  # fmt: skip
def test_what_pins_is_named_with_what_ends_it(changes: dict[str, Any], says: str, mend: str) -> None:
    fields = {
        "what": "transaction", "name": "7", "pid": 7, "owner": "app", "application": "report", "seconds": 600.0,
        "state": "idle in transaction", "transactions": 50, "xid": "800", "statement": "SELECT secret FROM ",
    }  # fmt: skip

    (finding,) = of_pins([Pin(**{**fields, **changes})])

    assert finding.finding.startswith(says)
    assert finding.mend.startswith(mend)


async def test_the_server_is_judged_by_what_it_is(conn: Connection, database: str) -> None:
    facts = dataclasses.replace(
        await run(conn, health.database()), fsync=True, synchronous_commit="on", standby=False, autovacuum=True
    )

    assert checks(facts) == []
    assert checks(facts, version=140_009) == ["version"]
    assert checks(facts, standby=True) == ["standby"]
    assert checks(facts, autovacuum=False) == ["autovacuum"]
    assert checks(facts, fsync=False) == checks(facts, synchronous_commit="off") == ["durability"]
    assert checks(facts, connections=180, most_connections=197) == ["connections"]
    assert checks(facts, notification_queue=0.2) == ["notifications"]
    assert [each.severity for each in server.of_server(dataclasses.replace(facts, notification_queue=0.6))] == ["error"]


def checks(facts: DatabaseFacts, **changes: Any) -> list[str]:
    return [finding.check for finding in server.of_server(dataclasses.replace(facts, **changes))]


@pytest.mark.parametrize(
    ("ahead", "uncertain", "says"),
    [(0.9, 0.0, []), (1.5, 0.1, ["1.5 s behind"]), (-90.0, 0.1, ["90.0 s ahead"]), (1.5, 0.6, [])],
)
def test_a_clock_is_wrong_when_the_way_there_cannot_explain_it(ahead: float, uncertain: float, says: list[str]) -> None:
    found = [finding.finding for finding in server.of_clock(ahead, uncertain=uncertain)]

    assert [words in sentence for words, sentence in zip(says, found, strict=True)] == [True] * len(says)


@pytest.mark.parametrize(
    ("address", "encrypted", "problems"),
    [("", False, 0), ("127.0.0.1", False, 0), ("::1", False, 0), ("10.0.0.7", False, 1), ("10.0.0.7", True, 0)],
)
def test_a_connection_to_another_host_must_be_encrypted(address: str, encrypted: bool, problems: int) -> None:
    assert len(list(server.of_encryption(address, encrypted=encrypted))) == problems


async def test_dead_rows_beyond_what_autovacuum_leaves_are_found(conn: Connection, database: str) -> None:
    await conn.execute("INSERT INTO river_job (kind, args) SELECT 'k', '{}' FROM generate_series(1, 20000)")
    await conn.execute("DELETE FROM river_job")
    await conn.execute("SELECT pg_stat_force_next_flush()")
    facts = await run(conn, health.vacuum("river_job"))
    assert facts is not None

    behind = list(tables.of_vacuum(facts, pinned=False, schema="public"))
    await conn.execute(behind[0].mend.partition(";")[0].encode())
    after = await run(conn, health.vacuum("river_job"))
    assert after is not None

    assert [each.check for each in behind] == ["vacuum"]
    assert list(tables.of_vacuum(facts, pinned=True, schema="public")) == []
    assert list(tables.of_vacuum(after, pinned=False, schema="public")) == []


def test_space_that_rows_do_not_need_is_found() -> None:
    facts = VacuumFacts(1000, 0, True, 1020, False, bytes=400 * 2**20, needed=100 * 2**20)

    assert list(tables.of_vacuum(facts, pinned=False, schema="q")) == []
    (bloat,) = tables.of_vacuum(dataclasses.replace(facts, bytes=500 * 2**20), pinned=False, schema="q")
    assert (bloat.check, '"q"."river_job"' in bloat.mend) == ("bloat", True)


def executor(incarnation: str, **columns: Any) -> dict[str, Any]:
    """Return the columns of an executor."""
    return {"incarnation": incarnation, "server_id": "h", "queue": "default", "slots": 1, "pid": 1, **columns}
