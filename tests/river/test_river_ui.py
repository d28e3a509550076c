"""River UI beside Riverrun: each of its requests is answered from our rows, and what it does is obeyed by us."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient, JobState, Unique
from riverrun.database import migrate
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.jobs import insert, states
from support.queries import value
from support.river_ui import RiverUi, needs_ui, river_ui

pytestmark = needs_ui

Connection = AsyncConnection[TupleRow]


@pytest.fixture
async def ui(database: str) -> AsyncIterator[RiverUi]:
    """Give a River UI."""
    async with river_ui(database) as theirs:
        yield theirs


def is_in(conn: Connection, job_id: int, state: str) -> object:
    return value(conn, f"SELECT state = '{state}' FROM river_job WHERE id = {job_id}")


async def test_its_lists_and_counts_show_our_jobs_in_every_state(ui: RiverUi, conn: Connection) -> None:
    ids = {}
    for state in JobState:
        ended = state in {"cancelled", "completed", "discarded"}
        columns = {"finalized_at": "2026-01-02 03:04:05+00"} if ended else {}
        ids[state] = await insert(conn, state=state, kind=f"kind_{state}", **columns)

    assert await ui.get("states") == dict.fromkeys(JobState, 1)
    for state, job_id in ids.items():
        assert await ui.ids(f"state={state}") == [job_id]
    assert await ui.ids("") == [ids[JobState.RUNNING]]


async def test_its_filters_find_our_jobs(ui: RiverUi, client: AsyncClient) -> None:
    first = (await client.enqueue("email", {"n": 1}, queue="mail", priority=9, tags=["vip", "europe"])).job.id
    second = (await client.enqueue("sms", {"n": 2}, queue="text|eu", priority=1)).job.id

    assert await ui.ids("state=available") == [first, second]
    assert await ui.ids("state=available&kinds=email") == [first]
    assert await ui.ids("state=available&queues=text|eu") == [second]
    assert await ui.ids("state=available&priorities=9") == [first]
    assert await ui.ids("state=available&tags=vip") == [first]
    assert await ui.ids(f"state=available&ids={second}") == [second]
    assert await ui.ids("state=available&limit=1") == [first]


async def test_a_job_of_ours_that_failed_is_shown_with_its_trace(
    ui: RiverUi, client: AsyncClient, conn: Connection, database: str
) -> None:
    args = {"message": "broken <&> ä" + "x" * 5_000, "big": 2**70}
    job_id = (await client.enqueue("fail", args, max_attempts=1, tags=["one"], metadata={"of": "us"})).job.id
    async with running_executor(settings_for(database)):
        await eventually(lambda: is_in(conn, job_id, "discarded"), within=10)

    shown = await ui.get(f"jobs/{job_id}")

    ours = await client.get(job_id)
    assert json.loads(shown["args"]) == args
    assert (shown["state"], shown["attempt"], shown["max_attempts"]) == ("discarded", 1, 1)
    assert (shown["tags"], shown["metadata"]["of"]) == (["one"], "us")
    assert shown["attempted_by"] == list(ours.attempted_by)
    ((error, mine),) = zip(shown["errors"], ours.errors, strict=True)
    assert (error["attempt"], error["error"], error["trace"]) == (1, mine.error, mine.trace)
    assert "Traceback" in error["trace"]


async def test_what_a_job_leaves_is_shown_while_it_runs_and_afterwards(
    ui: RiverUi, client: AsyncClient, conn: Connection, database: str
) -> None:
    finished = (await client.enqueue("greet", {"name": "Ada"})).job.id
    running = (await client.enqueue("chatter", {})).job.id
    async with running_executor(settings_for(database)):
        await eventually(lambda: is_in(conn, finished, "completed"), within=10)
        await eventually(lambda: value(conn, "SELECT bool_or(metadata ? 'river:log') FROM river_job"), within=10)

        assert await ui.ids("") == [running]
        assert (await ui.get("queues/default"))["count_running"] == 1
        (entry,) = (await ui.get(f"jobs/{running}"))["metadata"]["river:log"]

    assert (entry["attempt"], entry["log"].split(" ", 1)[1]) == (1, "WARNING before_the_gate step=1\n")
    assert (await ui.get(f"jobs/{finished}"))["metadata"]["output"] == {"text": "hello Ada"}


async def test_it_cancels_retries_and_deletes_our_jobs(
    ui: RiverUi, client: AsyncClient, conn: Connection, database: str
) -> None:
    running = (await client.enqueue("gate", {})).job.id
    waiting = (await client.enqueue("noop", {}, queue="other")).job.id
    async with running_executor(settings_for(database)):
        await eventually(lambda: is_in(conn, running, "running"), within=10)
        await ui.ask("POST", "jobs/delete", body={"ids": [str(running)]}, status=400)

        await ui.ask("POST", "jobs/cancel", body={"ids": [str(running), str(waiting)]})

        await eventually(lambda: is_in(conn, running, "cancelled"), within=10)
    assert await states(conn) == ["cancelled", "cancelled"]
    await ui.ask("POST", "jobs/retry", body={"ids": [str(waiting)]})
    assert (await client.get(waiting)).state == JobState.AVAILABLE
    await ui.ask("POST", "jobs/delete", body={"ids": [str(running), str(waiting)]})
    assert (await client.list()).jobs == []
    await ui.ask("GET", f"jobs/{running}", status=404)


async def test_its_retry_of_a_unique_job_is_a_conflict(ui: RiverUi, client: AsyncClient) -> None:
    unique = Unique(by_args=True)
    first = (await client.enqueue("same", {}, unique=unique)).job.id
    await client.cancel(first)
    await client.enqueue("same", {}, unique=unique)

    await ui.ask("POST", "jobs/retry", body={"ids": [str(first)]}, status=409)

    assert (await client.get(first)).state == JobState.CANCELLED


async def test_it_pauses_describes_and_resumes_our_queues(
    ui: RiverUi, client: AsyncClient, conn: Connection, database: str
) -> None:
    async with running_executor(settings_for(database)):
        await eventually(lambda: value(conn, "SELECT count(*) = 1 FROM river_queue"), within=10)
        await ui.ask("PUT", "queues/default/pause")
        job_id = (await client.enqueue("noop", {})).job.id
        (queue,) = (await ui.get("queues"))["data"]
        assert (queue["name"], queue["count_available"], queue["paused_at"] is None) == ("default", 1, False)
        limits = {"global_limit": 2, "local_limit": 1, "partition": {"by_args": ["customer"], "by_kind": True}}
        described = await ui.ask("PATCH", "queues/default", body={"concurrency": limits})
        assert described["concurrency"] == limits

        await ui.ask("PUT", "queues/default/resume")

        await eventually(lambda: is_in(conn, job_id, "completed"), within=10)
    assert (await client.get_queue("default")).metadata == {"concurrency": limits}
    await ui.ask("PUT", "queues/nobody/pause", status=404)


async def test_its_suggestions_are_our_kinds_and_queues(ui: RiverUi, client: AsyncClient, conn: Connection) -> None:
    await client.enqueue_many([{"kind": kind, "args": {}} for kind in ("email", "email", "sms")])
    await insert(conn, "river_queue", name="mail")

    assert (await ui.get("autocomplete?facet=job_kind"))["data"] == ["email", "sms"]
    assert (await ui.get("autocomplete?facet=job_kind&match=sm"))["data"] == ["sms"]
    assert (await ui.get("autocomplete?facet=queue_name"))["data"] == ["mail"]


async def test_its_checks_of_health_and_its_features_answer(ui: RiverUi) -> None:
    for name in ("minimal", "complete"):
        assert await ui.get(f"health-checks/{name}") == {"status": "ok"}
    assert (await ui.get("features"))["extensions"] == {}


async def test_it_looks_into_a_schema_of_its_own(empty_database: str) -> None:
    async with await AsyncConnection.connect(empty_database, autocommit=True) as conn:
        await migrate.up(conn, "Mixed_Case")
    async with AsyncClient(empty_database, schema="Mixed_Case") as client, river_ui(empty_database, "Mixed_Case") as ui:
        job_id = (await client.enqueue("noop", {})).job.id

        assert await ui.ids("state=available") == [job_id]
