"""Many jobs at once, by statements or by COPY: all of them in their order, or none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from riverrun import AsyncClient, Client, Unique
from riverrun.errors import InvalidInput
from riverrun.job_spec import JobSpec
from support.queries import Table, rows


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
