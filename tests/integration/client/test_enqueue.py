"""One job by either client: what was asked for is in the table, and what is not allowed is not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import BaseModel

from riverrun import AsyncClient, Client, Unique
from riverrun.errors import InvalidInput
from support.queries import Table, rows


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


def test_a_unique_job_is_enqueued_once(client: Client, table: Table) -> None:
    first = client.enqueue("email", {"to": "a", "n": 1}, unique=Unique(by_args=["to"]))
    second = client.enqueue("email", {"to": "a", "n": 2}, unique=Unique(by_args=["to"]))
    other = client.enqueue("email", {"to": "b", "n": 1}, unique=Unique(by_args=["to"]))

    assert (first.duplicate, second.duplicate, other.duplicate) == (False, True, False)
    assert second.job == first.job
    assert len(rows(table)) == 2


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
