"""What the leader measures, and that nobody else shows it."""

from __future__ import annotations

from contextlib import suppress

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Statements
from riverrun.store import gauges, handler_health
from riverrun.telemetry.host_totals import own_samples
from riverrun_scheduler.gauges import Gauges
from support.contexts import settings_for
from support.jobs import ago, insert
from support.schedulers import term_of

Connection = AsyncConnection[TupleRow]
run = Statements().run


def shown(name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a metric by the values of their labels."""
    return {tuple(labels.values()): value for sample, labels, value in own_samples() if sample == name}


@pytest.mark.every_postgres
async def test_queues_are_measured_by_state_age_pause_and_service(conn: Connection) -> None:
    await insert(conn, "river_queue", name="mail", paused_at=ago("1 hour"))
    await insert(
        conn,
        "riverrun_executor",
        incarnation="h_1_00000001",
        server_id="h",
        queue="default",
        slots=1,
        pid=1,
        lease_until=ago("-5 seconds"),
    )
    await insert(conn, queue="mail", scheduled_at=ago("100 seconds"), priority=9)
    await insert(conn, queue="mail", scheduled_at=ago("50 seconds"), priority=1)
    await insert(conn, queue="mail", scheduled_at=ago("-1 hour"), state="scheduled")
    await insert(conn, queue="mail", state="completed", finalized_at=ago("1 hour"))

    default, mail = await run(conn, gauges.queues())

    assert (default.queue, default.paused, default.served, default.oldest_seconds) == ("default", False, True, 0)
    assert (mail.queue, mail.paused, mail.served) == ("mail", True, False)
    assert mail.jobs == {"available": 2, "pending": 0, "retryable": 0, "running": 0, "scheduled": 1}
    assert 100 <= mail.oldest_seconds < 110


async def test_counting_stops_at_a_cap(conn: Connection) -> None:
    await insert(conn, "river_queue", name="default")
    await conn.execute("INSERT INTO river_job (kind, args) SELECT 'email', '{}' FROM generate_series(1, 10500)")

    (queue,) = await run(conn, gauges.queues())

    assert queue.jobs["available"] == gauges.CAP


async def test_tables_and_the_notification_queue_are_measured(conn: Connection) -> None:
    await conn.execute("INSERT INTO river_job (kind, args) SELECT 'email', '{}' FROM generate_series(1, 1000)")
    await conn.execute("ANALYZE river_job")

    server = await run(conn, gauges.server())

    jobs = next(table for table in server.tables if table.table == "river_job")
    assert jobs.rows == 1000
    assert jobs.bytes > 8192
    assert server.notification_queue == 0


async def test_only_a_leader_shows_what_belongs_to_the_whole_database(conn: Connection, database: str) -> None:
    await insert(conn, "river_queue", name="mail")

    async with term_of(settings_for(database)) as term:
        service = Gauges(term)
        pulse = await term.pulse()
        await service.step(pulse)
        await service.step(pulse)
        while_leading = shown("riverrun_queue_served"), shown("riverrun_table_bytes")
        service.clear()

    assert while_leading[0] == {("mail",): 0.0}
    assert ("river_job",) in while_leading[1]
    assert shown("riverrun_queue_served") == {}
    assert shown("riverrun_table_bytes") == {}


async def test_figures_that_cannot_be_measured_keep_no_others_from_being_measured(
    conn: Connection, database: str
) -> None:
    await conn.execute("ALTER TABLE river_queue RENAME COLUMN paused_at TO stopped_at")

    async with term_of(settings_for(database)) as term:
        service = Gauges(term)
        pulse = await term.pulse()
        for _ in range(3):
            with suppress(psycopg.errors.UndefinedColumn):
                await service.step(pulse)
        while_leading = shown("riverrun_table_bytes")
        service.clear()

    assert ("river_job",) in while_leading


async def test_services_are_shown_as_the_fleet_knows_them(conn: Connection, database: str) -> None:
    await insert(conn, "riverrun_handler", kind="well", handler_name="w", handler_type="http", endpoint_url="http://w")
    await insert(conn, "riverrun_handler", kind="down", handler_name="d", handler_type="http", endpoint_url="http://d")
    await insert(conn, "riverrun_handler", kind="local", handler_name="l", handler_type="local")
    await run(conn, handler_health.open_breaker("down", "no connection"))

    async with term_of(settings_for(database)) as term:
        service = Gauges(term)
        pulse = await term.pulse()
        for _ in range(3):
            await service.step(pulse)
        while_leading = shown("riverrun_handler_up"), shown("riverrun_handler_breaker_open")
        service.clear()

    assert while_leading == ({("well",): 1.0, ("down",): 0.0}, {("well",): 0.0, ("down",): 1.0})
    assert shown("riverrun_handler_up") == {}
