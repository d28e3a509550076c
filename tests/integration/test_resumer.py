"""Queues whose pause was to last until now go on, and no other; whoever leads sees to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Statements
from riverrun.pauses import Pause
from riverrun.store import queues
from riverrun_scheduler.resumer import Resumer
from support.contexts import settings_for
from support.schedulers import term_of

PAST = datetime.now(UTC) - timedelta(seconds=1)
FUTURE = datetime.now(UTC) + timedelta(hours=1)


async def test_only_the_pause_that_was_to_end_ends(conn: AsyncConnection[TupleRow], database: str) -> None:
    statements = Statements(None)
    for queue, until in (("due", PAST), ("later", FUTURE), ("by_hand", None), ("paused_anew", PAST)):
        await statements.run(conn, queues.announce(queue))
        await statements.run(conn, queues.pause(queue, Pause(resume_at=until)))
    # Another client has resumed it and paused it again: what was said was about the earlier pause.
    await conn.execute("UPDATE river_queue SET paused_at = now() + interval '1 second' WHERE name = 'paused_anew'")

    async with term_of(settings_for(database)) as term:
        await Resumer(term).step(await term.pulse())

    found = await (await conn.execute("SELECT name FROM river_queue WHERE paused_at IS NULL")).fetchall()
    assert found == [("due",)]


async def test_a_leader_whose_term_is_over_resumes_nothing(conn: AsyncConnection[TupleRow], database: str) -> None:
    statements = Statements(None)
    await statements.run(conn, queues.announce("due"))
    await statements.run(conn, queues.pause("due", Pause(resume_at=PAST)))

    async with term_of(settings_for(database)) as term:
        await conn.execute("UPDATE riverrun_leader SET generation = generation + 1")
        assert await statements.run(conn, queues.resume_due(term.generation)) == []

    await statements.run(conn, queues.resume("due"))
