"""River's own election, with a stand-in for a Go client: it writes the rows and notifications that one would."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun_scheduler.river_leader import RiverLeadership
from support.clocks import HandClock
from support.contexts import settings_for
from support.eventually import eventually
from support.jobs import ago, insert, states
from support.queries import value
from support.schedulers import running_scheduler, term_of

Connection = AsyncConnection[TupleRow]

HOLDER = "SELECT leader_id FROM river_leader WHERE expires_at >= now()"
CHANNEL = '"public.river_leadership"'


async def foreign_row(conn: Connection, *, expires: str = "-15 seconds") -> None:
    """Write the row of a Go client that leads."""
    await insert(conn, "river_leader", leader_id="gohost_1", elected_at=ago("20 seconds"), expires_at=ago(expires))


async def messages(conn: Connection, count: int, within: float = 3.0) -> list[dict[str, str]]:
    return [json.loads(notify.payload) async for notify in conn.notifies(timeout=within, stop_after=count)]


async def holder(conn: Connection) -> str | None:
    row = await (await conn.execute(HOLDER)).fetchone()
    return row[0] if row else None


@pytest.fixture
async def listener(database: str) -> AsyncIterator[Connection]:
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute(f"LISTEN {CHANNEL}".encode())
        yield connection


@pytest.mark.every_postgres
async def test_the_leader_takes_a_free_row_for_fifteen_seconds(conn: Connection, database: str) -> None:
    async with term_of(settings_for(database)) as term:
        river = RiverLeadership(term)
        await river.step(await term.pulse())

    assert river.ours
    assert await value(
        conn, "SELECT expires_at - elected_at = interval '15 s' FROM river_leader WHERE name = 'default'"
    )
    assert (await holder(conn) or "").startswith("riverrun:test-host")


async def test_an_expired_row_of_another_client_is_taken(conn: Connection, database: str) -> None:
    await foreign_row(conn, expires="1 second")

    async with term_of(settings_for(database)) as term:
        river = RiverLeadership(term)
        await river.step(await term.pulse())

    assert river.ours


async def test_the_row_of_a_scheduler_of_ours_that_died_is_taken_at_once(conn: Connection, database: str) -> None:
    await insert(
        conn,
        "river_leader",
        leader_id="riverrun:h_1_00000001",
        elected_at=ago("1 second"),
        expires_at=ago("-14 seconds"),
    )

    async with term_of(settings_for(database)) as term:
        river = RiverLeadership(term)
        await river.step(await term.pulse())

    assert river.ours


async def test_the_row_is_renewed_every_five_seconds(conn: Connection, database: str) -> None:
    clock = HandClock()
    async with term_of(settings_for(database)) as term:
        river = RiverLeadership(term, monotonic=clock)
        await river.step(await term.pulse())
        first = await value(conn, "SELECT expires_at FROM river_leader")
        clock.forward(4.9)
        await river.step(await term.pulse())
        not_yet = await value(conn, "SELECT expires_at FROM river_leader")
        clock.forward(0.2)
        await river.step(await term.pulse())

    assert not_yet == first
    assert await value(conn, "SELECT expires_at FROM river_leader") > first
    assert await value(conn, "SELECT count(*) FROM river_leader") == 1


async def test_a_row_that_vanished_with_a_crash_of_the_server_is_taken_anew(conn: Connection, database: str) -> None:
    clock = HandClock()
    async with term_of(settings_for(database)) as term:
        river = RiverLeadership(term, monotonic=clock)
        await river.step(await term.pulse())
        await conn.execute("TRUNCATE river_leader")
        clock.forward(5.0)
        await river.step(await term.pulse())

    assert await holder(conn) is not None
    assert river.ours


async def test_a_foreign_leader_is_asked_to_resign_and_its_row_left_alone(
    conn: Connection, database: str, listener: Connection
) -> None:
    await foreign_row(conn)
    await insert(conn, state="scheduled", scheduled_at=ago("1 second"))

    async with running_scheduler(settings_for(database)):
        heard = await messages(listener, 1)
        assert await holder(conn) == "gohost_1"
        assert await states(conn) == ["scheduled"]

        # As a Go client answers: its row goes, and all are told.
        await conn.execute("DELETE FROM river_leader")
        await conn.execute(
            'SELECT pg_notify(\'public.river_leadership\', \'{"leader_id": "gohost_1", "action": "resigned"}\')'
        )
        await eventually(lambda: value(conn, "SELECT leader_id LIKE 'riverrun%' FROM river_leader"), within=0.5)
        await eventually(lambda: value(conn, "SELECT state = 'available' FROM river_job"), within=1)

    assert heard == [{"action": "request_resign", "leader_id": ""}]


async def test_a_stop_gives_the_row_back_and_says_so(conn: Connection, database: str, listener: Connection) -> None:
    async with running_scheduler(settings_for(database)):
        await eventually(lambda: value(conn, HOLDER), within=5)
        leader_id = await holder(conn)

    assert await messages(listener, 1) == [{"leader_id": leader_id, "action": "resigned"}]
    assert await value(conn, "SELECT count(*) FROM river_leader") == 0


async def test_the_leader_steps_aside_when_it_is_asked_to(
    conn: Connection, database: str, listener: Connection
) -> None:
    async with running_scheduler(settings_for(database)):
        await eventually(lambda: value(conn, HOLDER), within=5)
        request = '{"action": "request_resign", "leader_id": ""}'
        await conn.execute("SELECT pg_notify('public.river_leadership', %s)", (request,))

        asked, answered = await messages(listener, 2)

        assert asked["action"] == "request_resign"
        assert answered["action"] == "resigned"
        await eventually(lambda: value(conn, HOLDER), within=5)


@pytest.mark.parametrize("payload", ["", "no JSON", "[]", '"request_resign"', '{"action": 7}'])
async def test_a_notification_that_makes_no_sense_is_ignored(conn: Connection, database: str, payload: str) -> None:
    async with running_scheduler(settings_for(database)) as context:
        await eventually(lambda: value(conn, HOLDER), within=5)
        before = context.progress
        await conn.execute("SELECT pg_notify('public.river_leadership', %s)", (payload,))

        await eventually(lambda: context.progress > before + 1, within=5)
        assert await holder(conn) is not None


async def test_in_mode_follow_the_row_is_never_held_but_work_is_done_while_nobody_leads(
    conn: Connection, database: str
) -> None:
    async with term_of(settings_for(database, leadership="follow")) as term:
        river = RiverLeadership(term)
        await river.step(await term.pulse())
        alone = river.ours
        await foreign_row(conn)
        await river.step(await term.pulse())

    assert alone
    assert not river.ours
    assert await holder(conn) == "gohost_1"


async def test_in_mode_off_the_row_is_ignored(conn: Connection, database: str) -> None:
    await foreign_row(conn)

    async with term_of(settings_for(database, leadership="off")) as term:
        river = RiverLeadership(term)
        await river.step(await term.pulse())

    assert river.ours
    assert await holder(conn) == "gohost_1"


async def test_a_change_to_follow_gives_the_row_back(conn: Connection, database: str) -> None:
    async with term_of(settings_for(database)) as term:
        river = RiverLeadership(term)
        await river.step(await term.pulse())
        term._context.settings = settings_for(database, leadership="follow")
        await river.step(await term.pulse())

    assert await value(conn, "SELECT count(*) FROM river_leader") == 0
