"""What producers can rely on in both clients: what was asked for is in the table, or nothing is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import BaseModel

from riverrun import AsyncClient, Client, JobState, Unique
from riverrun.database import migrate
from riverrun.errors import (
    ConfigError,
    DatabaseUnavailable,
    InvalidInput,
    JobFinalized,
    JobRunning,
    NotFound,
    SchemaError,
    UniqueConflict,
)
from riverrun.job_spec import JobSpec
from support.queries import Table


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    with Client(database) as client:
        yield client


@pytest.fixture
async def async_client(database: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(database) as client:
        yield client


def rows(table: Table) -> list[dict[str, Any]]:
    return table.execute("SELECT * FROM river_job ORDER BY id").fetchall()


def set_state(table: Table, job_id: int, state: str) -> None:
    finalized = "now()" if state in {"completed", "cancelled", "discarded"} else "NULL"
    table.execute(
        f"UPDATE river_job SET state = %s::river_job_state, finalized_at = {finalized} WHERE id = %s".encode(),
        [state, job_id],
    )


@dataclass
class Email:
    to: str


class Invoice(BaseModel):
    number: int


def test_a_job_is_stored_as_it_was_asked_for(client: Client, table: Table) -> None:
    due = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=timezone(timedelta(hours=8)))

    result = client.enqueue(
        "email",
        {"to": "a@example.com"},
        queue="mail",
        priority=9,
        scheduled_at=due,
        max_attempts=3,
        timeout=90,
        tags=["first-tag", "second"],
        metadata={"trace": "abc"},
    )

    (row,) = rows(table)
    assert row["id"] == result.job.id
    assert row["kind"] == "email"
    assert row["args"] == {"to": "a@example.com"}
    assert (row["queue"], row["priority"], row["max_attempts"], row["state"]) == ("mail", 9, 3, "scheduled")
    assert row["scheduled_at"] == due
    assert row["tags"] == ["first-tag", "second"]
    assert row["metadata"] == {"trace": "abc", "riverrun:timeout_seconds": 90.0}
    assert (row["attempt"], row["unique_key"], row["unique_states"]) == (0, None, None)
    assert not result.duplicate


async def test_the_asynchronous_client_stores_the_same(async_client: AsyncClient, table: Table) -> None:
    result = await async_client.enqueue("email", {"to": "a@example.com"})

    (row,) = rows(table)
    assert (row["id"], row["state"], row["args"]) == (result.job.id, "available", {"to": "a@example.com"})
    assert await async_client.get(result.job.id) == result.job


@pytest.mark.parametrize(
    "args", [Email("x"), Invoice(number=1), {"k": 1}, '{"big": 123456789012345678901234567890}', b"{}"]
)
def test_arguments_may_come_in_any_of_their_forms(client: Client, args: Any) -> None:
    expected = {
        Email: {"to": "x"},
        Invoice: {"number": 1},
        dict: {"k": 1},
        str: {"big": 123456789012345678901234567890},
        bytes: {},
    }

    job = client.enqueue("email", args).job

    assert json.loads(client.get(job.id).args_text) == expected[type(args)]


def test_a_delay_is_counted_by_the_clock_of_the_database(client: Client, table: Table) -> None:
    client.enqueue("email", {}, delay=timedelta(minutes=5))
    client.enqueue("email", {}, pending=True)

    delayed, pending = rows(table)
    assert delayed["scheduled_at"] - delayed["created_at"] == timedelta(minutes=5)
    assert delayed["state"] == "scheduled"
    assert pending["state"] == "pending"


def test_a_job_commits_with_the_transaction_of_its_producer(client: Client, database: str, table: Table) -> None:
    with psycopg.connect(database) as conn:
        client.enqueue("email", {}, conn=conn)
        client.enqueue_many([{"kind": "email", "args": {}}] * 3, conn=conn)
        assert rows(table) == []
        conn.commit()

    assert len(rows(table)) == 4


def test_a_job_disappears_with_the_transaction_of_its_producer(client: Client, database: str, table: Table) -> None:
    with psycopg.connect(database) as conn:
        client.enqueue("email", {}, conn=conn)
        client.enqueue_many([{"kind": "email", "args": {}}] * 1500, conn=conn)
        client.copy_in(({"kind": "email", "args": {}} for _ in range(10)), conn=conn)
        conn.rollback()

    assert rows(table) == []


async def test_an_asynchronous_producer_commits_and_rolls_back_too(
    async_client: AsyncClient, database: str, table: Table
) -> None:
    async with await psycopg.AsyncConnection.connect(database, row_factory=dict_row) as conn:
        kept = await async_client.enqueue("email", {}, conn=conn)
        await conn.commit()
        await async_client.enqueue("email", {}, conn=conn)
        await async_client.enqueue_many([{"kind": "email", "args": {}}] * 1500, conn=conn)
        await conn.rollback()

    assert [row["id"] for row in rows(table)] == [kept.job.id]


async def test_a_block_on_an_autocommit_connection_rolls_back_as_a_whole(
    async_client: AsyncClient, database: str, table: Table
) -> None:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as conn, conn.transaction():
        await async_client.enqueue_many([{"kind": "email", "args": {}}] * 1500, conn=conn)
        raise psycopg.Rollback

    assert rows(table) == []


async def test_a_connection_of_another_kind_is_refused(
    async_client: AsyncClient, client: Client, database: str
) -> None:
    with (
        psycopg.connect(database) as conn,
        pytest.raises(InvalidInput, match=r"conn: 'Connection' is not allowed; expected a psycopg.AsyncConnection"),
    ):
        await async_client.enqueue("email", {}, conn=conn)  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(InvalidInput, match=r"expected a psycopg.Connection"):
        client.enqueue("email", {}, conn="postgres://")  # type: ignore[arg-type]  # that is the mistake


def test_a_unique_job_is_enqueued_once(client: Client, table: Table) -> None:
    first = client.enqueue("email", {"to": "a", "n": 1}, unique=Unique(by_args=["to"]))
    second = client.enqueue("email", {"to": "a", "n": 2}, unique=Unique(by_args=["to"]))
    other = client.enqueue("email", {"to": "b", "n": 1}, unique=Unique(by_args=["to"]))

    assert (first.duplicate, second.duplicate, other.duplicate) == (False, True, False)
    assert second.job == first.job
    assert len(rows(table)) == 2


def test_a_batch_answers_in_its_order_and_tells_its_own_duplicates(client: Client) -> None:
    old = client.enqueue("email", {"n": 3}, unique=Unique(by_args=True))
    specs: list[JobSpec] = [
        {"kind": "email", "args": {"n": number}, "unique": Unique(by_args=True)} for number in (5, 3, 4, 5)
    ]

    results = client.enqueue_many([*specs, {"kind": "email", "args": {"n": 3}, "queue": "mail"}])

    assert [result.job.args["n"] for result in results] == [5, 3, 4, 5, 3]
    assert [result.duplicate for result in results] == [False, True, False, True, False]
    assert results[1].job.id == old.job.id
    assert results[3].job.id == results[0].job.id
    assert results[4].job.queue == "mail"


def test_equal_keys_in_different_statements_of_a_batch_are_one_job(client: Client, table: Table) -> None:
    unique = Unique(by_args=True)

    results = client.enqueue_many([{"kind": "email", "args": {"n": n % 1200}, "unique": unique} for n in range(2400)])

    assert [result.duplicate for result in results] == [False] * 1200 + [True] * 1200
    assert [result.job.args["n"] for result in results] == [n % 1200 for n in range(2400)]
    assert len(rows(table)) == 1200


def test_an_empty_batch_is_nothing(client: Client, table: Table) -> None:
    assert client.enqueue_many([]) == []
    assert client.copy_in([]) == 0
    assert rows(table) == []


def test_fifty_thousand_jobs_go_by_copy_and_answer_in_order(client: Client, table: Table) -> None:
    results = client.enqueue_many(
        [{"kind": "email", "args": {"n": n}, "delay": n % 2, "tags": ["one-tag"]} for n in range(50_000)]
    )

    assert [result.job.args["n"] for result in results] == list(range(50_000))
    ids = [result.job.id for result in results]
    assert ids == sorted(set(ids))
    for result in (results[0], results[777], results[-1]):
        stored = client.get(result.job.id)
        assert replace(result.job, args_text=stored.args_text) == stored
        assert result.job.args == stored.args
    found = table.execute(
        "SELECT count(*) AS jobs, count(DISTINCT created_at) AS times,"
        " count(*) FILTER (WHERE scheduled_at = created_at + (args->>'n')::int % 2 * interval '1 second') AS due"
        " FROM river_job"
    ).fetchone()
    assert found == {"jobs": 50_000, "times": 1, "due": 50_000}


def test_text_survives_copy_whatever_characters_it_has(client: Client, table: Table) -> None:
    awkward = {"text": 'tab\t newline\n backslash\\ \\N \\. quote" ' + "\U0001f600 中文 \x01"}

    client.enqueue_many([{"kind": "email", "args": awkward, "metadata": awkward}] * 1001)

    assert all(row["args"] == awkward and row["metadata"] == awkward for row in rows(table))


def test_a_stream_is_copied_in_constant_memory_and_counted(client: Client, table: Table) -> None:
    unique = Unique(by_args=True)

    plain = client.copy_in({"kind": "email", "args": {"n": n}} for n in range(2500))
    keyed = client.copy_in({"kind": "email", "args": {"n": n % 10}, "unique": unique} for n in range(2500))

    assert (plain, keyed) == (2500, 10)
    assert len(rows(table)) == 2510


async def test_an_asynchronous_stream_is_copied_too(async_client: AsyncClient, table: Table) -> None:
    async def stream() -> AsyncIterator[JobSpec]:
        for n in range(2500):
            yield {"kind": "email", "args": {"n": n}}

    assert await async_client.copy_in(stream()) == 2500
    assert await async_client.copy_in([{"kind": "email", "args": {}}]) == 1
    assert len(rows(table)) == 2501


async def test_a_stream_with_one_bad_job_leaves_nothing(
    client: Client, async_client: AsyncClient, table: Table
) -> None:
    jobs: list[Any] = [{"kind": "email", "args": {}}] * 2500 + [{"kind": "email", "args": {}, "priority": 0}]

    for attempt in (client.copy_in, client.enqueue_many):
        with pytest.raises(InvalidInput, match=r"^jobs\.2500\.priority: 0 is not allowed"):
            attempt(jobs)
    with pytest.raises(InvalidInput, match=r"^jobs\.2500\.priority: 0 is not allowed"):
        await async_client.copy_in(jobs)
    assert rows(table) == []


@pytest.mark.parametrize("jobs", [1, 3, 1500])
def test_executors_hear_of_new_jobs_once_a_queue_and_only_at_the_commit(
    client: Client, database: str, jobs: int
) -> None:
    with psycopg.connect(database, autocommit=True) as executor, psycopg.connect(database) as conn:
        executor.execute('LISTEN "public.river_insert"')
        specs: list[Any] = [{"kind": "email", "args": {}, "queue": f"q{n % 2}"} for n in range(jobs)]

        client.enqueue_many([*specs, {"kind": "email", "args": {}, "queue": "later", "delay": 60}], conn=conn)
        before = [note.payload for note in executor.notifies(timeout=0.3)]
        conn.commit()
        after = [json.loads(note.payload) for note in executor.notifies(timeout=5, stop_after=min(jobs, 2))]
        rest = [note.payload for note in executor.notifies(timeout=0.3)]

    assert before == []
    assert sorted(after, key=str) == [{"queue": "q0"}, {"queue": "q1"}][: min(jobs, 2)]
    assert rest == []


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("kind", {"kind": ""}),
        ("kind", {"kind": "k" * 128}),
        ("kind", {"kind": 7}),
        ("args", {"args": "not json"}),
        ("args", {"args": "[1]"}),
        ("args", {"args": [1]}),
        ("args", {"args": '{"a": "\\u0000"}'}),
        ("args", {"args": {"a": "\x00"}}),
        ("args", {"args": '{"a": NaN}'}),
        ("args", {"args": {"a": float("nan")}}),
        ("args", {"args": '{"a": "' + "x" * (1024 * 1024 - 8) + '"}'}),
        ("queue", {"queue": ""}),
        ("queue", {"queue": "q" * 65}),
        ("queue", {"queue": "Mail"}),
        ("priority", {"priority": 0}),
        ("priority", {"priority": 10}),
        ("priority", {"priority": True}),
        ("max_attempts", {"max_attempts": 0}),
        ("max_attempts", {"max_attempts": 32_768}),
        ("timeout", {"timeout": -1}),
        ("timeout", {"timeout": float("nan")}),
        ("delay", {"delay": -1}),
        ("delay", {"delay": 1, "scheduled_at": datetime(2030, 1, 1, tzinfo=UTC)}),
        ("scheduled_at", {"scheduled_at": datetime(2030, 1, 1)}),  # noqa: DTZ001 - that is the mistake
        ("scheduled_at", {"scheduled_at": datetime(9999, 12, 31, tzinfo=UTC)}),
        ("scheduled_at", {"scheduled_at": "2030-01-01T00:00:00Z"}),
        ("tags", {"tags": "one"}),
        ("tags.1", {"tags": ["good-one", "b,c"]}),
        ("metadata", {"metadata": []}),
        ("metadata.river:log", {"metadata": {"river:log": 1}}),
        ("metadata", {"metadata": {"a": "\x00"}}),
        ("unique", {"unique": True}),
        ("pending", {"pending": 1}),
    ],
)  # fmt: skip
def test_bad_input_names_its_field_and_writes_nothing(
    client: Client, table: Table, field: str, wrong: dict[str, Any]
) -> None:
    job = {"kind": "email", "args": {}, **wrong}
    options = {name: value for name, value in job.items() if name not in {"kind", "args"}}

    with pytest.raises(InvalidInput, match=rf"^{field}: .* is not allowed; expected ") as alone:
        client.enqueue(job["kind"], job["args"], **options)
    with pytest.raises(InvalidInput, match=rf"^jobs\.1\.{field}: .* is not allowed; expected ") as in_batch:
        client.enqueue_many([{"kind": "email", "args": {}}, job])  # type: ignore[list-item]  # that is the mistake

    assert alone.value.field == field
    assert in_batch.value.field == f"jobs.1.{field}"
    assert rows(table) == []


@pytest.mark.parametrize(
    ("jobs", "field"),
    [
        ([{"kind": "email", "args": {}, "priorty": 1}], "jobs.0.priorty"),
        ([{"kind": "email"}], "jobs.0.args"),
        (["email"], "jobs.0"),
        ({"kind": "email", "args": {}}, "jobs"),
        (7, "jobs"),
    ],
)
def test_a_batch_of_something_else_is_refused(client: Client, jobs: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        client.enqueue_many(jobs)

    assert refused.value.field == field


@pytest.mark.parametrize("job_id", [0, -1, 2**63, 2**70, "x", 1.5, True, None])
def test_an_id_that_cannot_be_one_is_refused(client: Client, job_id: Any) -> None:
    for method in (client.get, client.cancel, client.retry, client.delete):
        with pytest.raises(InvalidInput, match=r"^job_id: .* expected a whole number from 1 to 9223372036854775807"):
            method(job_id)


def test_an_id_that_does_not_exist_is_told(client: Client) -> None:
    for method in (client.get, client.cancel, client.retry, client.delete):
        with pytest.raises(NotFound, match="job 9223372036854775807 does not exist"):
            method(2**63 - 1)


def test_a_waiting_job_is_cancelled_retried_and_deleted(client: Client) -> None:
    job = client.enqueue("email", {}).job

    assert client.cancel(job.id).state == JobState.CANCELLED
    assert client.cancel(job.id).state_before == JobState.CANCELLED
    assert client.retry(job.id).state == JobState.AVAILABLE
    client.delete(job.id)
    with pytest.raises(NotFound):
        client.get(job.id)


async def test_a_running_job_is_asked_to_stop_and_otherwise_left_alone(async_client: AsyncClient, table: Table) -> None:
    job = (await async_client.enqueue("email", {})).job
    set_state(table, job.id, "running")

    assert (await async_client.cancel(job.id)).state == JobState.RUNNING
    with pytest.raises(JobRunning):
        await async_client.retry(job.id)
    with pytest.raises(JobRunning):
        await async_client.delete(job.id)
    assert "cancel_attempted_at" in rows(table)[0]["metadata"]


def test_a_finalized_job_cannot_be_cancelled(client: Client, table: Table) -> None:
    job = client.enqueue("email", {}).job
    set_state(table, job.id, "completed")

    with pytest.raises(JobFinalized, match=f"job {job.id} is already completed"):
        client.cancel(job.id)


async def test_a_retry_against_the_key_of_another_job_is_a_conflict(
    client: Client, async_client: AsyncClient, table: Table
) -> None:
    old = client.enqueue("email", {}, unique=Unique(by_args=True)).job
    client.cancel(old.id)
    client.enqueue("email", {}, unique=Unique(by_args=True))

    with pytest.raises(UniqueConflict):
        client.retry(old.id)
    with pytest.raises(UniqueConflict):
        await async_client.retry(old.id)
    assert rows(table)[0]["state"] == "cancelled"


def test_jobs_are_listed_by_what_they_are_and_page_by_page(client: Client) -> None:
    client.enqueue_many(
        [{"kind": f"kind{n % 2}", "args": {"n": n}, "queue": "mail", "priority": 1 + n % 3} for n in range(9)]
    )
    client.enqueue("kind1", {}, queue="other", delay=60)

    first = client.list(queue="mail", kind=["kind1"], limit=3)
    second = client.list(queue="mail", kind=["kind1"], limit=3, cursor=first.next_cursor)

    assert sorted(job.args["n"] for job in [*first.jobs, *second.jobs]) == [1, 3, 5, 7]
    assert second.next_cursor is None
    assert [job.queue for job in client.list(state="scheduled").jobs] == ["other"]


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"state": "done"}, "state"),
        ({"queue": ["mail", ""]}, "queue"),
        ({"priority": 11}, "priority"),
        ({"created_after": datetime(2030, 1, 1)}, "created_after"),  # noqa: DTZ001 - that is the mistake
        ({"limit": 0}, "limit"),
        ({"limit": "5"}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"sate": "available"}, "sate"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(client: Client, filters: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        client.list(**filters)

    assert refused.value.field == field


def test_queues_are_paused_and_resumed_by_name(client: Client, table: Table) -> None:
    table.execute("INSERT INTO river_queue (name, created_at, updated_at) VALUES ('mail', now(), now())")

    client.pause_queue("mail")
    paused = table.execute("SELECT paused_at IS NOT NULL AS paused FROM river_queue").fetchone()
    client.resume_queue("*")
    resumed = table.execute("SELECT paused_at IS NOT NULL AS paused FROM river_queue").fetchone()

    assert (paused, resumed) == ({"paused": True}, {"paused": False})
    with pytest.raises(NotFound, match="queue nobody does not exist"):
        client.pause_queue("nobody")
    with pytest.raises(InvalidInput, match=r"^queue: "):
        client.pause_queue("No Body")


def test_a_new_client_has_a_database_or_says_how_to_name_one(
    database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database)
    with Client() as client:
        assert client.enqueue("email", {}).job.id == 1

    with pytest.raises(InvalidInput, match=r"^dsn: '…' is not allowed; expected a connection string") as refused:
        Client("postgres://u:secret@[host/db")
    assert "secret" not in str(refused.value)
    with pytest.raises(InvalidInput, match=r"^schema: "):
        Client(database, schema='a"b')
    with pytest.raises(InvalidInput, match=r"^max_attempts: "):
        Client(database, max_attempts=0)
    with pytest.raises(InvalidInput, match=r"^max_connections: "):
        Client(database, max_connections=0)


def test_without_any_database_the_error_names_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr("riverrun.database.embedded.EmbeddedPostgres.running", lambda _: False)

    with pytest.raises(ConfigError, match="set DATABASE_URL, or start the embedded one: queuectl start --dev"):
        Client()


async def test_a_database_that_cannot_be_reached_is_told_at_once_without_its_password() -> None:
    dsn = "postgres://user:secret@127.0.0.1:1/nowhere"

    with Client(dsn) as client, pytest.raises(DatabaseUnavailable, match=r"PostgreSQL at 127.0.0.1:1/nowhere") as told:
        client.enqueue("email", {})
    async with AsyncClient(dsn) as async_client:
        with pytest.raises(DatabaseUnavailable, match=r"PostgreSQL at 127.0.0.1:1/nowhere"):
            await async_client.enqueue("email", {})

    assert "secret" not in str(told.value)


async def test_a_database_without_the_tables_names_the_command_that_makes_them(empty_database: str) -> None:
    with Client(empty_database) as client, pytest.raises(SchemaError, match="run: queuectl migrate up"):
        client.enqueue("email", {})
    async with AsyncClient(empty_database, schema="nowhere") as async_client:
        with pytest.raises(SchemaError, match="run: queuectl migrate up"):
            await async_client.enqueue("email", {})


def test_a_client_goes_on_after_its_connections_were_cut(client: Client, table: Table) -> None:
    client.enqueue("email", {})
    table.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'riverrun/client' AND datname = current_database()"
    )

    assert client.enqueue("email", {}).job.id == 2


async def test_an_async_client_goes_on_after_its_connections_were_cut(async_client: AsyncClient, table: Table) -> None:
    await async_client.enqueue("email", {})
    table.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'riverrun/client' AND datname = current_database()"
    )

    assert (await async_client.enqueue("email", {})).job.id == 2


def test_a_closed_client_says_so(database: str) -> None:
    client = Client(database)
    client.close()
    client.close()

    with pytest.raises(DatabaseUnavailable, match="this client is closed"):
        client.enqueue("email", {})


async def test_a_schema_of_ones_own_is_used_whatever_the_search_path(empty_database: str) -> None:
    async with await psycopg.AsyncConnection.connect(empty_database, autocommit=True) as conn:
        await migrate.up(conn, "jobs")
        await conn.execute('LISTEN "jobs.river_insert"')
        async with AsyncClient(empty_database, schema="jobs") as client:
            first = await client.enqueue("email", {}, unique=Unique(by_args=True))
            again = await client.enqueue("email", {}, unique=Unique(by_args=True))
            await client.enqueue_many([{"kind": "email", "args": {}, "queue": "mail"}] * 1001, conn=conn)
            cancelled = await client.cancel(first.job.id)
        heard = [json.loads(note.payload)["queue"] async for note in conn.notifies(timeout=5, stop_after=2)]
        count = await (await conn.execute("SELECT count(*) FROM jobs.river_job")).fetchone()

    assert again.duplicate
    assert cancelled.state == JobState.CANCELLED
    assert heard == ["default", "mail"]
    assert count == (1002,)


def test_a_large_batch_stores_what_copy_could_misread(client: Client) -> None:
    hostile = '{"tab":\t"\\t", "newline":\n"\\n", "backslash": "\\\\N", "quote": "\\"", "unicode": "\\u00e9é"}'
    jobs: list[JobSpec] = [{"kind": "noop", "args": {"n": n}} for n in range(1_001)]
    jobs.append({"kind": "noop", "args": hostile, "tags": ["NULL", "some-tag"], "metadata": {"path": "a\\b\tc"}})

    result = client.enqueue_many(jobs)[-1]

    stored = client.get(result.job.id)
    assert stored.args == {"tab": "\t", "newline": "\n", "backslash": "\\N", "quote": '"', "unicode": "éé"}
    assert stored.tags == result.job.tags == ("NULL", "some-tag")
    assert stored.metadata == result.job.metadata == {"path": "a\\b\tc"}
    assert (stored.state, stored.scheduled_at) == (result.job.state, result.job.scheduled_at)
