"""Leadership, maintenance and schedules by River's rules; each test is named after a scenario of River's suite."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient, Conflict, InvalidInput, JobState, NotFound, Unique
from riverrun.database import migrate
from riverrun.database.statements import Statements
from riverrun.store import promote, rescue
from riverrun_scheduler.promoter import Promoter
from riverrun_scheduler.reindexer import Reindexer
from riverrun_scheduler.rescuer import Rescuer
from riverrun_scheduler.river_leader import RiverLeadership
from riverrun_scheduler.term import Term
from support.contexts import settings_for
from support.eventually import eventually
from support.jobs import ago, insert, job, states
from support.queries import value
from support.schedulers import cleaned, running_scheduler, settled, term_of, ticked

Connection = AsyncConnection[TupleRow]

HOLDER = "SELECT (SELECT leader_id FROM river_leader WHERE expires_at >= now())"
GO = "host_2026_01_02T03_04_05_123456"
CLIENT_IDS = (
    GO,
    "worker_example_com_2026_01_02T03_04_05_678901_deadbeef",
    "worker.example.com-4711-0123456789ab",
    "riverqueue-js-4711-0c7b3c0e-6f0f-4d8e-9d5c-2f1f4b1b8a7e",
    "java-0c7b3c0e-6f0f-4d8e-9d5c-2f1f4b1b8a7e",
)
"""How River's clients for Go, Rust, Ruby, JavaScript and Java call themselves unless they are told to."""


async def led(term: Term) -> RiverLeadership:
    river = RiverLeadership(term)
    await river.step(await term.pulse())
    return river


async def exhaust(service: Any, term: Term) -> None:
    pulse = await settled(term)
    while await service.step(pulse):
        pass


async def test_leadership_same_client_id_term_replacement(conn: Connection, database: str) -> None:
    async with term_of(settings_for(database)) as term:
        river = await led(term)
        # Another reign of the very same id: whoever held the earlier one holds nothing any more.
        await conn.execute("UPDATE river_leader SET elected_at = elected_at + interval '1 second'")
        await river.resign()
        assert await value(conn, HOLDER) == term.leader_id

        river = await led(term)

        assert river.ours


async def test_leadership_renewal_under_slow_maintenance(conn: Connection, database: str) -> None:
    async with running_scheduler(settings_for(database)):
        await eventually(lambda: value(conn, HOLDER), within=10)
        first = await value(conn, "SELECT expires_at FROM river_leader")
        # Whatever promotes finds its table locked and runs into its limit, again and again.
        async with await AsyncConnection.connect(database) as holder:
            await insert(conn, state="scheduled", scheduled_at=ago("1 second"))
            await holder.execute("LOCK TABLE river_job IN SHARE MODE")

            await eventually(lambda: value(conn, f"SELECT expires_at > '{first}' FROM river_leader"), within=15)


async def test_leader_election_disabled_both_directions(conn: Connection, database: str) -> None:
    await insert(conn, "river_leader", leader_id="go", elected_at=ago("1 second"), expires_at=ago("-60 seconds"))
    await insert(conn, state="scheduled", scheduled_at=ago("1 second"))

    async with running_scheduler(settings_for(database, leadership="off")):
        await eventually(lambda: value(conn, "SELECT state = 'available' FROM river_job"), within=10)

    assert await value(conn, HOLDER) == "go"


async def test_follow_leaves_maintenance_to_a_leader_of_river(conn: Connection, database: str) -> None:
    await insert(conn, "river_leader", leader_id="go", elected_at=ago("1 second"), expires_at=ago("-60 seconds"))
    await insert(conn, state="scheduled", scheduled_at=ago("1 second"))
    await insert(conn, state="completed", finalized_at=ago("30 days"))

    async with term_of(settings_for(database, leadership="follow")) as term:
        river = await led(term)
        await exhaust(Promoter(term, river), term)
        await cleaned(term, river)

    assert await states(conn) == ["scheduled", "completed"]


@pytest.mark.parametrize("leadership", ["lead", "follow"])
async def test_a_client_of_river_on_a_host_that_is_called_riverrun_keeps_the_lead(
    conn: Connection, database: str, leadership: str
) -> None:
    theirs = "riverrun_example_com_2026_01_02T03_04_05_123456"
    await insert(conn, "river_leader", leader_id=theirs, elected_at=ago("1 second"), expires_at=ago("-60 seconds"))

    async with term_of(settings_for(database, leadership=leadership)) as term:
        river = await led(term)

    assert not river.ours
    assert await value(conn, HOLDER) == theirs


async def test_maintenance_job_cleaner_retention(conn: Connection, database: str) -> None:
    for state in ("cancelled", "completed", "discarded"):
        for age in ("23 hours", "25 hours", "8 days", "9000 days"):
            await insert(conn, state=state, finalized_at=ago(age))
    retention = {"completed": -1, "discarded": "8760h"}
    async with term_of(settings_for(database, retention=retention)) as term:
        await cleaned(term, await led(term))

    assert sorted(await states(conn)) == ["cancelled", *["completed"] * 4, *["discarded"] * 3]


async def test_maintenance_queue_cleaner_keeps_active_queues(conn: Connection, database: str) -> None:
    for name, age in (("old", "25 hours"), ("fresh", "23 hours"), ("paused", "9000 days")):
        paused = ago("1 hour") if name == "paused" else None
        await insert(conn, "river_queue", name=name, updated_at=ago(age), paused_at=paused)
    async with term_of(settings_for(database)) as term:
        await cleaned(term, await led(term))

    # River forgets paused queues as well, and with them that they are paused.
    assert await value(conn, "SELECT string_agg(name, ' ' ORDER BY name) FROM river_queue") == "fresh paused"


async def test_maintenance_reindexer_skips_artifacts(
    conn: Connection, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    await conn.execute("CREATE INDEX riverrun_job_due_index_ccnew ON river_job (id)")
    file = "SELECT pg_relation_filenode('riverrun_job_{}_index')"
    due, live = await value(conn, file.format("due")), await value(conn, file.format("live"))
    settings = settings_for(database, reindex={"schedule": "@every 1s"})
    async with term_of(settings) as term:
        reindexer = Reindexer(term, await led(term))

        async def rebuilt() -> bool:
            await reindexer.step(await term.pulse())
            return bool(await value(conn, file.format("live")) != live)

        await eventually(rebuilt, within=20)
        await eventually(lambda: "index_not_rebuilt" in caplog.messages, within=10)
        await reindexer.close()

    assert await value(conn, file.format("due")) == due
    (said, *_) = [vars(record) for record in caplog.records if record.getMessage() == "index_not_rebuilt"]
    assert said["reason"].startswith("riverrun_job_due_index_ccnew was left behind by a REINDEX")


async def test_maintenance_rescuer_full_batch_of_unexpired_jobs(conn: Connection, database: str) -> None:
    values = "'running', 'email', '{}', 1, ARRAY['x']"
    await conn.execute(
        "INSERT INTO river_job (state, kind, args, attempt, attempted_by, attempted_at)"
        f" SELECT {values}, now() FROM generate_series(1, 2500)".encode()
    )
    await insert(conn, state="running", attempt=1, attempted_by=[GO], attempted_at=ago("2 hours"))

    async with term_of(settings_for(database)) as term:
        await exhaust(Rescuer(term, await led(term)), term)

    assert await value(conn, "SELECT count(*) FROM river_job WHERE state = 'running'") == 2500
    assert await value(conn, "SELECT state FROM river_job ORDER BY id DESC LIMIT 1") == "retryable"


async def test_two_schemas_of_one_database_have_a_leader_each_that_keeps_to_its_own(empty_database: str) -> None:
    first, second = ((f'"{name}".river_job', settings_for(empty_database, schema=name)) for name in ("Mixed_Case", "b"))
    state = "SELECT string_agg(state::text, ' ' ORDER BY id) FROM "
    async with await AsyncConnection.connect(empty_database, autocommit=True) as conn:
        for table, settings in (first, second):
            await migrate.up(conn, settings.postgresql.schema_name)
            await conn.execute(
                f"INSERT INTO {table} (kind, args, state, attempt, attempted_at, attempted_by, finalized_at)"
                f" VALUES ('noop', '{{}}', 'scheduled', 0, NULL, NULL, NULL),"
                f" ('noop', '{{}}', 'running', 1, now() - interval '2 hours', ARRAY['{GO}'], NULL),"
                f" ('noop', '{{}}', 'completed', 1, NULL, NULL, now() - interval '9 days')".encode()
            )
        async with term_of(first[1]) as term, term_of(second[1]) as other:
            assert (await led(other)).ours

            for service in (Promoter, Rescuer):
                await exhaust(service(term, await led(term)), term)
            await cleaned(term, await led(term))

            assert await value(conn, state + first[0]) == "available retryable"
            assert await value(conn, state + second[0]) == "scheduled running completed"


@pytest.mark.parametrize(
    "meanwhile",
    [
        "state = 'completed', finalized_at = now()",
        "attempt = 2",
        "attempted_at = now()",
        "attempted_by = array_append(attempted_by, 'another')",
    ],
)
async def test_maintenance_rescuer_stale_selection(conn: Connection, database: str, meanwhile: str) -> None:
    job_id = await insert(conn, state="running", attempt=1, attempted_by=[GO], attempted_at=ago("2 hours"))
    run = Statements().run
    lost = await run(conn, rescue.lost(missing=[], stuck_after=timedelta(hours=1)))
    await conn.execute(f"UPDATE river_job SET {meanwhile}".encode())
    before = await job(conn, job_id)

    rescued = await run(conn, rescue.rescue(lost, {"stuck": "Stuck job rescued"}))

    assert [each.id for each in lost] == [job_id]
    assert rescued == []
    assert await job(conn, job_id) == before


@pytest.mark.parametrize("client_id", CLIENT_IDS)
async def test_no_client_of_river_passes_for_an_executor_of_ours(conn: Connection, client_id: str) -> None:
    await insert(conn, state="running", attempt=1, attempted_by=[client_id], attempted_at=ago("59 minutes"))
    run = Statements().run

    assert await run(conn, rescue.missing_executors()) == set()
    assert await run(conn, rescue.lost(missing=[], stuck_after=timedelta(hours=1))) == []
    (job_of_theirs,) = await run(conn, rescue.lost(missing=[], stuck_after=timedelta(minutes=58)))
    assert job_of_theirs.reason == "stuck"


async def test_a_stuck_job_of_a_kind_that_nobody_here_knows_is_retried(conn: Connection, database: str) -> None:
    job_id = await insert(
        conn, kind="only_in_go", state="running", attempt=1, attempted_by=[GO], attempted_at=ago("2 hours")
    )

    async with term_of(settings_for(database)) as term:
        await exhaust(Rescuer(term, await led(term)), term)

    row = await job(conn, job_id)
    assert (row["state"], row["metadata"]["river:rescue_count"]) == ("retryable", 1)
    assert set(row["errors"][0]) == {"at", "attempt", "error", "trace"}


async def test_scheduler_unique_conflict_discard(conn: Connection, database: str) -> None:
    # Without retryable in the mask two due jobs of one key may be there; River's own leader discards both.
    columns: dict[str, Any] = {"unique_key": b"k" * 32, "unique_states": "11010101", "scheduled_at": ago("1 second")}
    first = await insert(conn, state="scheduled", **columns)
    second = await insert(conn, state="retryable", attempt=1, **columns)

    async with term_of(settings_for(database)) as term:
        await exhaust(Promoter(term, await led(term)), term)

    rows = [await job(conn, job_id) for job_id in (first, second)]
    assert sorted(row["state"] for row in rows) == ["available", "discarded"]
    (loser,) = [row for row in rows if row["state"] == "discarded"]
    assert (loser["metadata"]["unique_key_conflict"], loser["errors"]) == ("scheduler_discarded", None)


async def test_periodic_due_job_available(client: AsyncClient, conn: Connection, database: str) -> None:
    await client.add_schedule("nightly", "report", every=timedelta(hours=1), args={"n": 1}, tags=["nightly"])
    await conn.execute("UPDATE riverrun_schedule SET created_at = now() - interval '1 hour'")

    async with term_of(settings_for(database)) as term:
        await ticked(term)

    (found,) = (await client.list()).jobs
    assert (found.state, found.kind, found.args, found.tags) == (JobState.AVAILABLE, "report", {"n": 1}, ("nightly",))
    assert (found.metadata["periodic"], found.metadata["river:periodic_job_id"]) == (True, "nightly")


async def test_periodic_run_on_start(client: AsyncClient, conn: Connection, database: str) -> None:
    count = "SELECT count(*) FROM river_job"
    await client.add_schedule("yearly", "report", cron="@yearly", run_on_start=True)
    await client.add_schedule("later", "report", cron="@yearly")
    settings = settings_for(database)
    async with term_of(settings) as term:
        service = await ticked(term)
        assert await value(conn, count) == 1
        await ticked(term, service)
        await client.add_schedule("added", "report", cron="@yearly", run_on_start=True)
        await ticked(term, service)
        assert await value(conn, count) == 2

    async with term_of(settings) as term:  # as in River, whoever leads begins anew
        await ticked(term)
    assert await value(conn, count) == 4


@pytest.mark.parametrize("ours_first", [True, False])
async def test_periodic_unique_cross_engine(
    client: AsyncClient, conn: Connection, database: str, *, ours_first: bool
) -> None:
    unique = Unique(by_args=True, by_queue=True)
    args = {"b": [1, {"x": None}], "a": "ä"}
    await client.add_schedule("nightly", "report", cron="@yearly", args=args, run_on_start=True, unique=unique)
    if not ours_first:
        await client.enqueue("report", args, unique=unique)  # its key is that of a Go client: see the goldens

    async with term_of(settings_for(database)) as term:
        await ticked(term)

    again = await client.enqueue("report", args, unique=unique)
    assert again.duplicate
    assert await value(conn, "SELECT count(*) FROM river_job") == 1


async def test_a_unique_tick_counts_within_the_period_that_it_lies_in(
    client: AsyncClient, conn: Connection, database: str
) -> None:
    day = Unique(by_period=timedelta(days=1))
    await client.add_schedule("hourly", "report", every=timedelta(hours=1), missed="all", unique=day)
    await conn.execute("UPDATE riverrun_schedule SET created_at = now() - interval '47 hours'")

    async with term_of(settings_for(database)) as term:
        await ticked(term)

    assert 2 <= await value(conn, "SELECT count(*) FROM river_job") <= 3


async def test_schedules_of_the_configuration_start_and_are_unique(
    client: AsyncClient, conn: Connection, database: str
) -> None:
    entry = {
        "task_type": "report",
        "every": 3600,
        "run_on_start": True,
        "unique": {"by_args": ["id"], "by_period": "1h"},
    }
    settings = settings_for(database, schedules={"nightly": {**entry, "task_params": {"id": 7, "note": "x"}}})
    async with term_of(settings) as term:
        await ticked(term)

    (known,) = await client.schedules()
    assert (known.run_on_start, known.unique) == (True, Unique(by_args=["id"], by_period=timedelta(hours=1)))
    (found,) = (await client.list()).jobs
    assert found.unique_states == "11110101"


async def test_schedules_are_added_and_removed_at_run_time(client: AsyncClient) -> None:
    made = await client.add_schedule("one", "report", cron="TZ=Asia/Shanghai 30 4 * * *", run_on_start=True)

    assert await client.schedules() == [made]
    with pytest.raises(Conflict, match="schedule one exists already"):
        await client.add_schedule("one", "report", cron="@daily")
    with pytest.raises(InvalidInput, match="cron: '@reboot' is not allowed"):
        await client.add_schedule("two", "report", cron="@reboot")
    with pytest.raises(InvalidInput, match="often: 'often' is not allowed; expected one of cron"):
        await client.add_schedule("two", "report", often=True)  # type: ignore[call-arg]  # wrong on purpose
    await client.remove_schedule("one")
    assert await client.schedules() == []
    with pytest.raises(NotFound):
        await client.remove_schedule("one")


async def test_pending_jobs_wait_for_a_person(client: AsyncClient, conn: Connection, database: str) -> None:
    job_id = (await client.enqueue("noop", {}, pending=True, scheduled_at=datetime(2001, 1, 1, tzinfo=UTC))).job.id

    async with term_of(settings_for(database)) as term:
        promoted = await Statements().run(conn, promote.promote(term.generation, batch=10))

    assert (promoted.promoted, (await client.get(job_id)).state) == (0, JobState.PENDING)
    assert (await client.retry(job_id)).state == JobState.AVAILABLE
