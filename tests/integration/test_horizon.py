"""Who keeps dead rows is found, whatever it is, and the leader says so in its metrics and its log."""

from __future__ import annotations

import logging
import time
from contextlib import AsyncExitStack

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Statements
from riverrun.store import horizon
from riverrun.store.horizon import Pin
from riverrun.telemetry import metrics
from riverrun_scheduler.horizon import Horizon
from support.contexts import settings_for
from support.pinning import abandoned_slot, idle_in_transaction, prepared_transaction
from support.schedulers import term_of

Connection = AsyncConnection[TupleRow]
run = Statements().run

SECRET = "hunter2"


def pin(**changes: object) -> Pin:
    """Return a transaction that was left open for ten minutes."""
    fields = {
        "what": "transaction", "name": "7", "pid": 7, "owner": "app", "application": "report", "seconds": 600.0,
        "state": "idle in transaction", "transactions": 5000, "xid": "800", "statement": "SELECT secret FROM ",
    }  # fmt: skip
    return Pin(**{**fields, **changes})  # type: ignore[arg-type]  # the tests say which fields differ


@pytest.mark.every_postgres
async def test_a_forgotten_transaction_is_named(conn: Connection, database: str) -> None:
    async with idle_in_transaction(database, "UPDATE riverrun_leader SET server_id = 'h'") as forgetful:
        (found,) = await run(conn, horizon.pins())
        pid, user = forgetful.info.backend_pid, forgetful.info.user

    assert (found.what, found.pid, found.application) == ("transaction", pid, "forgetful")
    assert (found.owner, found.state) == (user, "idle in transaction")
    assert found.seconds is not None
    assert 0 <= found.seconds < 60


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        (f"UPDATE riverrun_leader SET server_id = '{SECRET}'", "UPDATE riverrun_leader SET server_id = "),
        (f"UPDATE riverrun_leader SET server_id = $tag${SECRET}$tag$", "UPDATE riverrun_leader SET server_id = "),
        (f"UPDATE riverrun_leader /* {SECRET} */ SET generation = 1", "UPDATE riverrun_leader "),
        (f"UPDATE riverrun_leader SET generation = 1 -- {SECRET}", "UPDATE riverrun_leader SET generation = "),
        ("UPDATE riverrun_leader\n SET generation =12345", "UPDATE riverrun_leader SET generation ="),
        ("CREATE TABLE t12 (c9 int)", "CREATE TABLE t12 (c9 int)"),
        (f"CREATE TABLE {'x' * 60} (y int)", f"CREATE TABLE {'x' * 47}"),
    ],
)
async def test_a_statement_is_shown_up_to_where_a_value_might_stand(
    conn: Connection, database: str, statement: str, shown: str
) -> None:
    async with idle_in_transaction(database, statement):
        (found,) = await run(conn, horizon.pins())

    assert found.statement == shown


async def test_what_other_databases_do_does_not_count(conn: Connection, empty_database: str) -> None:
    async with idle_in_transaction(empty_database, "CREATE TABLE elsewhere (x int)"):
        found = await run(conn, horizon.pins())

    assert found == []


@pytest.mark.every_postgres
async def test_prepared_transactions_and_slots_count(conn: Connection, database: str) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(prepared_transaction(conn, "two-phase"))
        await stack.enter_async_context(abandoned_slot(conn, database, "far_standby"))
        found = {pin.what: pin for pin in await run(conn, horizon.pins())}

    assert set(found) == {"prepared", "slot"}
    assert found["prepared"].name == "two-phase"
    assert found["prepared"].seconds is not None
    assert (found["slot"].name, found["slot"].state, found["slot"].seconds) == ("far_standby", "inactive", None)


async def test_the_age_of_a_slot_is_how_long_it_was_seen_to_stand_still(conn: Connection, database: str) -> None:
    async with term_of(settings_for(database)) as term, abandoned_slot(conn, database, "far_standby"):
        service, now = Horizon(term), time.monotonic()
        service.show(await term.run(horizon.pins()), now)
        at_first = metrics.oldest_xmin_age._value.get()
        service.show(await term.run(horizon.pins()), now + 90)
        later = metrics.oldest_xmin_age._value.get()
        service.clear()

    assert (at_first, later, metrics.oldest_xmin_age._value.get()) == (0, 90, 0)


async def test_the_leader_measures_what_pins(conn: Connection, database: str) -> None:
    async with term_of(settings_for(database)) as term, prepared_transaction(conn, "two-phase"):
        service = Horizon(term)
        await service.step(await term.pulse())
        measured = metrics.oldest_xmin_age._value.get()
        service.clear()

    assert 0 < measured < 60


async def test_the_log_names_the_culprit_at_most_once_a_minute(database: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "riverrun_scheduler.horizon")
    async with term_of(settings_for(database)) as term:
        service = Horizon(term)
        for seconds in (0.0, 10.0, 59.0, 61.0):
            service.show([pin(seconds=30.0 + seconds, name="8"), pin(seconds=600.0 + seconds)], 1000 + seconds)
        service.clear()

    assert [record.getMessage() for record in caplog.records] == ["horizon_pinned"] * 2
    said = vars(caplog.records[0])
    assert (said["pid"], said["application"], said["age_seconds"], said["what"]) == (7, "report", 600, "transaction")
    assert "SELECT" not in str(said)


async def test_a_young_transaction_is_not_worth_a_line(database: str, caplog: pytest.LogCaptureFixture) -> None:
    async with term_of(settings_for(database)) as term:
        service = Horizon(term)
        service.show([pin(seconds=59.0), pin(seconds=None, what="slot", name="far_standby")], 1000)
        service.clear()

    assert caplog.records == []
