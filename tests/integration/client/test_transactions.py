"""What is done on the caller's own connection commits, rolls back and is told with the caller's transaction."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from riverrun import AsyncClient, Client
from riverrun.errors import InvalidInput
from support.queries import Table, rows


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
