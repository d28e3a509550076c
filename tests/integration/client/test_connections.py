"""Which database a client works on, and what it says when it cannot."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from riverrun import AsyncClient, Client, JobState, Unique
from riverrun.database import migrate
from riverrun.errors import ConfigError, DatabaseUnavailable, InvalidInput, SchemaError
from support.queries import Table


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


def cut_connections(table: Table) -> None:
    table.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'riverrun/client' AND datname = current_database()"
    )


def test_a_client_goes_on_after_its_connections_were_cut(client: Client, table: Table) -> None:
    client.enqueue("email", {})
    cut_connections(table)

    assert client.enqueue("email", {}).job.id == 2


async def test_an_async_client_goes_on_after_its_connections_were_cut(async_client: AsyncClient, table: Table) -> None:
    await async_client.enqueue("email", {})
    cut_connections(table)

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
