"""Times that another client has stored and Python has no datetime for: nothing stops, and every list shows the job."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow
from psycopg.types.string import TextLoader

from riverrun import AsyncClient, JobState
from riverrun.database.statements import Statements
from riverrun.moments import EARLIEST, LATEST
from riverrun.store import gauges, listing, statistics
from riverrun.store.listing import JobFilter
from riverrun_scheduler.promoter import Promoter
from riverrun_scheduler.rescuer import Rescuer
from riverrun_scheduler.river_leader import RiverLeadership
from support.admin import Admin, running_admin
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.job_lists import STATE_SETS, states_of
from support.jobs import insert, job
from support.queries import value
from support.queuectl import Queuectl
from support.schedulers import settled, term_of

Connection = AsyncConnection[TupleRow]

TIMES = ("infinity", "-infinity", "20000-01-01 00:00+00", "0044-03-15 12:00+00 BC", "9999-12-31 23:59:59+00")
EARLY = ("-infinity", "0044-03-15 12:00+00 BC", "0001-01-01 00:00+00")
FINAL = ("cancelled", "completed", "discarded")
GO = "gohost_2026_01_02T03_04_05_123456"

pytestmark = pytest.mark.every_postgres

run = Statements().run


@pytest.fixture
async def conn(database: str) -> AsyncIterator[Connection]:
    """Give a connection that returns times as PostgreSQL writes them."""
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        conn.adapters.register_loader("timestamptz", TextLoader)
        yield conn


@pytest.fixture
async def east(database: str) -> str:
    """Give the connection string of a database whose clock is ahead of UTC."""
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        name = sql.Identifier(conn.info.dbname)
        await conn.execute(sql.SQL("ALTER DATABASE {} SET timezone = 'Asia/Shanghai'").format(name))
    return database


@pytest.fixture
async def odd(east: str, conn: Connection) -> list[int]:
    """Give the ids of jobs in every state, all of whose times are such, in a queue that another client has made."""
    await insert(conn, "river_queue", name="default", created_at="-infinity", updated_at="infinity")
    return [await insert_odd(conn, state, time) for state in JobState for time in TIMES]


async def insert_odd(conn: Connection, state: str, time: str) -> int:
    columns: dict[str, Any] = {"state": state, "created_at": time, "scheduled_at": time, "max_attempts": 25}
    if state in ("running", *FINAL):
        columns |= {"attempted_at": time, "attempt": 1, "attempted_by": [GO]}
    if state in FINAL:
        columns |= {"finalized_at": time}
    job_id: int = await insert(conn, **columns)
    return job_id


@pytest.mark.parametrize("states", STATE_SETS, ids="+".join)
@pytest.mark.parametrize("order", [None, "newest", "oldest"])
async def test_a_list_holds_every_such_job(
    conn: Connection, odd: list[int], states: tuple[str, ...], order: listing.Order | None
) -> None:
    page = await run(conn, listing.page(JobFilter(states=states_of(states)), limit=100, order=order))

    found = await value(conn, "SELECT count(*) FROM river_job")
    assert len(page.jobs) == (found if not states else len(TIMES) * len(states)) <= len(odd)
    assert all(EARLIEST <= each.scheduled_at <= LATEST and each.scheduled_at.tzinfo is UTC for each in page.jobs)


@pytest.mark.parametrize("states", STATE_SETS, ids="+".join)
async def test_pages_of_such_jobs_come_to_an_end(conn: Connection, odd: list[int], states: tuple[str, ...]) -> None:
    wanted, seen = JobFilter(states=states_of(states)), list[int]()
    page = await run(conn, listing.page(wanted, limit=2))
    while page.next_cursor is not None:
        seen += [each.id for each in page.jobs]
        assert len(seen) <= len(odd)
        page = await run(conn, listing.page(wanted, limit=2, cursor=page.next_cursor))

    assert len(seen) == len(set(seen)) > 0


async def test_jobs_that_are_due_for_ever_fill_pages_one_after_the_other(conn: Connection, database: str) -> None:
    ids = [await insert_odd(conn, "scheduled", "infinity") for _ in range(5)]
    wanted = JobFilter(states=(JobState.SCHEDULED,))

    first = await run(conn, listing.page(wanted, limit=3))
    second = await run(conn, listing.page(wanted, limit=3, cursor=first.next_cursor))

    assert [each.id for each in first.jobs + second.jobs] == ids


async def test_a_leader_promotes_and_rescues_beside_them(conn: Connection, east: str, odd: list[int]) -> None:
    due = await insert(conn, state="scheduled", scheduled_at=datetime.now(UTC) - timedelta(seconds=1))
    late = await insert_odd(conn, "scheduled", "-infinity")
    stuck = await insert_odd(conn, "running", "-infinity")

    async with term_of(settings_for(east)) as term:
        river = RiverLeadership(term)
        promoter, rescuer = Promoter(term, river), Rescuer(term, river)
        pulse = await settled(term)
        await river.step(pulse)
        for service in (promoter, rescuer):
            for _ in range(20):
                if not await service.step(pulse):
                    break

    assert pulse.soonest_due is not None
    assert pulse.soonest_due < pulse.now
    assert [(await job(conn, each))["state"] for each in (due, late)] == ["available", "available"]
    assert await value(conn, f"SELECT state::text FROM river_job WHERE id = {stuck}") == "retryable"


async def test_the_soonest_job_may_be_due_for_ever(conn: Connection, east: str) -> None:
    await insert_odd(conn, "scheduled", "infinity")

    async with term_of(settings_for(east)) as term:
        pulse = await term.pulse()

    assert pulse.soonest_due is not None
    assert pulse.soonest_due > pulse.now


@pytest.mark.parametrize("time", EARLY)
@pytest.mark.parametrize("created", TIMES)
async def test_an_executor_runs_a_job_that_was_due_before_1970(
    conn: Connection, client: AsyncClient, database: str, time: str, created: str
) -> None:
    job_id = await insert(conn, kind="noop", scheduled_at=time, created_at=created)

    async with running_executor(settings_for(database)):

        async def done() -> bool:
            return await value(conn, f"SELECT state = 'completed' FROM river_job WHERE id = {job_id}") is True

        await eventually(done, within=10.0)


async def test_figures_of_queues_are_measured_beside_them(conn: Connection, odd: list[int]) -> None:
    measured = await run(conn, gauges.queues())
    found = await run(conn, statistics.statistics())

    assert [each.name for each in found.queues] == ["default"]
    assert measured


PATHS = (
    "queue/dashboard",
    "queue/list",
    "queue/stats",
    "queue/jobs",
    *(f"queue/jobs?state={state}" for state in JobState),
    "page/queue?name=default",
    "queue/jobs.csv",
    "queue/jobs.ndjson",
    "error/list",
)


@pytest.fixture
async def admin(east: str) -> AsyncIterator[Admin]:
    async with running_admin(east) as server:
        yield server


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
async def test_the_admin_process_shows_them(admin: Admin, odd: list[int], accept: str) -> None:
    paths = [*PATHS, *(f"queue/jobs/{job_id}" for job_id in odd)]

    answers = {path: await admin.get(f"/admin/{path}", headers={"Accept": accept}) for path in paths}

    assert {path: each.status for path, each in answers.items() if each.status not in (200, 303, 404, 406)} == {}
    assert answers["queue/jobs"].status == answers[f"queue/jobs/{odd[0]}"].status == 200


def test_the_shell_shows_them(east: str, odd: list[int], tmp_path: Path) -> None:
    queuectl = Queuectl(east, tmp_path)

    for state in JobState:
        assert len(queuectl.json("job", "list", "--state", str(state))) == len(TIMES)
    for output in ("table", "wide", "json", "csv"):
        for job_id in odd[: len(TIMES)]:
            shown = queuectl("job", "get", str(job_id), "-o", output)
            assert shown.returncode == 0, shown.stderr
