"""Indexes of jobs are built anew by the leader when it is time, and one that cannot be leaves nothing behind."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.migrate import up
from riverrun.database.statements import Statements
from riverrun.store import indexes
from riverrun_scheduler.index_builder import build_anew
from riverrun_scheduler.reindexer import Reindexer
from riverrun_scheduler.river_leader import RiverLeadership
from riverrun_scheduler.term import Term
from support.contexts import settings_for
from support.eventually import eventually
from support.jobs import ago, insert
from support.schedulers import term_of

Connection = AsyncConnection[TupleRow]

DUE = "riverrun_job_due_index"
OFTEN = {"schedule": "@every 1s"}


async def files(conn: Connection, schema: str = "public") -> dict[str, int]:
    """Return the file of each index of jobs: one that was built anew has another."""
    query = (
        "SELECT relname, pg_relation_filenode(indexrelid) FROM pg_index JOIN pg_class AS relation ON indexrelid = oid"
        " WHERE indrelid = format('%%I.river_job', %s::text)::regclass"
    )
    return dict(await (await conn.execute(query, (schema,))).fetchall())


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


@asynccontextmanager
async def old_snapshot(database: str) -> AsyncIterator[None]:
    """Keep a transaction open that the swap of an index has to wait for."""
    async with await AsyncConnection.connect(database) as reader:
        await reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await reader.execute("SELECT 1")
        yield


@asynccontextmanager
async def reindexer_of(term: Term) -> AsyncIterator[Reindexer]:
    river = RiverLeadership(term)
    await river.step(await term.pulse())
    reindexer = Reindexer(term, river)
    yield reindexer
    await reindexer.close()


async def stepped(term: Term, reindexer: Reindexer) -> bool:
    """Give the service a turn; return whether it has begun to build."""
    await reindexer.step(await term.pulse())
    return reindexer._building is not None


@pytest.mark.every_postgres
async def test_every_index_that_is_known_is_built_anew(conn: Connection, database: str) -> None:
    await conn.execute("CREATE INDEX of_somebody_else ON river_job (created_at)")
    await conn.execute("CREATE INDEX river_job_kind ON river_job (kind)")
    before = await files(conn)

    await build_anew(settings_for(database), within=timedelta(minutes=1))

    assert changed(before, await files(conn)) == before.keys() - {"of_somebody_else"}


async def test_indexes_of_another_schema_are_left_alone(empty_database: str) -> None:
    async with await AsyncConnection.connect(empty_database, autocommit=True) as own:
        for schema in ("Mixed_Case", "other"):
            await up(own, schema)
        before, others = await files(own, "Mixed_Case"), await files(own, "other")

        await build_anew(settings_for(empty_database, schema="Mixed_Case"), within=timedelta(minutes=1))

        assert changed(before, await files(own, "Mixed_Case")) == before.keys()
        assert await files(own, "other") == others


async def test_two_never_build_at_once(conn: Connection, database: str) -> None:
    before = await files(conn)
    assert await Statements("public").run(conn, indexes.hold())

    await build_anew(settings_for(database), within=timedelta(minutes=1))

    assert await files(conn) == before


async def test_an_index_that_takes_too_long_stays_as_it_was(
    conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(indexes, "REBUILT", (DUE,))
    before = await files(conn)

    async with old_snapshot(database):
        await build_anew(settings_for(database), within=timedelta(seconds=1))

    assert await files(conn) == before
    (said,) = [vars(record) for record in caplog.records if record.levelno >= logging.WARNING]
    assert (said["msg"], said["index"]) == ("index_not_rebuilt", DUE)
    assert "statement timeout" in said["reason"]


async def test_a_leader_builds_when_it_is_time_and_drops_what_is_half_built_when_its_term_ends(
    conn: Connection, database: str
) -> None:
    before = await files(conn)
    async with (
        term_of(settings_for(database, reindex=OFTEN)) as led,
        old_snapshot(database),
        reindexer_of(led) as reindexer,
    ):
        await eventually(lambda: stepped(led, reindexer), within=10)

        await eventually(lambda: _half_built(conn), within=10)

    assert reindexer._building is not None
    assert reindexer._building.cancelled()
    assert await files(conn) == before


async def test_nothing_is_built_while_a_client_of_river_leads(conn: Connection, database: str) -> None:
    await insert(conn, "river_leader", leader_id="go", elected_at=ago("1 second"), expires_at=ago("-60 seconds"))
    async with term_of(settings_for(database, reindex=OFTEN, leadership="off")) as led, reindexer_of(led) as reindexer:
        await stepped(led, reindexer)
        first = reindexer._due

        await eventually(lambda: _moved_on(led, reindexer, first), within=10)

        assert reindexer._building is None
        await conn.execute("DELETE FROM river_leader")
        await eventually(lambda: stepped(led, reindexer), within=10)


async def test_off_means_never_from_the_next_reload_on(database: str) -> None:
    async with term_of(settings_for(database, reindex=OFTEN)) as led, reindexer_of(led) as reindexer:
        await stepped(led, reindexer)
        assert reindexer._due is not None
        led._context.settings = settings_for(database, reindex={"schedule": "off"})

        await stepped(led, reindexer)

        assert reindexer._due is None


async def _half_built(conn: Connection) -> bool:
    return any(name.endswith("_ccnew") for name in await files(conn))


async def _moved_on(term: Term, reindexer: Reindexer, first: object) -> bool:
    await stepped(term, reindexer)
    return reindexer._due != first
