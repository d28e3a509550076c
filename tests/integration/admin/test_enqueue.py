"""POST /admin/queue/enqueue and enqueue_many: what is stored is what was sent, or nothing is."""

from __future__ import annotations

import json

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from support.admin import Admin
from support.jobs import insert, job
from support.queries import value

SEED = """{
    "task_type": "email",
    "task_params": "{\\"to\\":\\"user@example.com\\",\\"subject\\":\\"Test\\"}",
    "queue": "email",
    "priority": 5
  }"""


async def test_the_line_of_the_quick_start_is_stored_and_answered(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    answer = await admin.request(
        "POST", "/admin/queue/enqueue", data=SEED, headers={"Content-Type": "application/json", "Accept": "*/*"}
    )

    assert answer.status == 201
    assert answer.headers["Location"] == f"/admin/queue/jobs/{answer.json['job_id']}"
    assert answer.json | {"job_id": 1, "scheduled_at": "…"} == {
        "job_id": 1,
        "state": "available",
        "task_type": "email",
        "queue": "email",
        "priority": 5,
        "scheduled_at": "…",
        "duplicate": False,
        "handler_known": False,
        "queue_served": False,
        "warning": "no executor serves the queue email now; the job waits until one does",
    }
    row = await job(conn, answer.json["job_id"])
    assert (row["args"], row["queue"], row["priority"]) == ({"to": "user@example.com", "subject": "Test"}, "email", 5)


@pytest.mark.parametrize(
    "params",
    [
        '{"n": 1.10, "big": 123456789012345678901234567890, "tiny": 1.0000000000000000000000000000000001}',
        '{"deep": {"list": [1, 1.0, -0.50, 1e3, "ü\\u00fc\\n", null, true, {}]}, "task_params": {"x": 2.50}}',
    ],
)
@pytest.mark.parametrize("form", ["text", "object"])
async def test_no_number_of_the_arguments_loses_a_digit(
    admin: Admin, conn: AsyncConnection[TupleRow], params: str, form: str
) -> None:
    member = json.dumps(params) if form == "text" else params
    body = f'{{"task_type": "email", "task_params": {member}}}'

    answer = await admin.request(
        "POST", "/admin/queue/enqueue", data=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status == 201
    async with conn.cursor() as cursor:
        await cursor.execute("SELECT args::text, %s::jsonb::text FROM river_job", (params,))
        stored, expected = await cursor.fetchone() or ("", "none")
    assert stored == expected
    shown = await admin.get(f"/admin/queue/jobs/{answer.json['job_id']}")
    assert f'"task_params":{expected}'.encode() in shown.body


async def test_priority_and_attempts_come_from_the_queue_and_the_handler(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    await insert(conn, "riverrun_handler", kind="known", handler_name="known", handler_type="local", retry_count=3)

    plain = await admin.enqueue(queue="mail")
    known = await admin.enqueue(task_type="known", priority=9, delay_s=60)

    rows = [await job(conn, answer.json["job_id"]) for answer in (plain, known)]
    assert [(row["priority"], row["max_attempts"], row["state"]) for row in rows] == [
        (4, 25, "available"),
        (9, 4, "scheduled"),
    ]
    assert [plain.json["handler_known"], known.json["handler_known"]] == [False, True]


async def test_a_served_queue_gets_no_warning(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    await conn.execute(
        "INSERT INTO riverrun_executor (incarnation, server_id, queue, slots, pid, lease_until)"
        " VALUES ('a', 'a', 'default', 5, 1, now() + interval '1 minute')"
    )

    answer = await admin.enqueue()

    assert answer.json["queue_served"] is True
    assert "warning" not in answer.json


async def test_a_duplicate_is_answered_with_the_job_that_was_there(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    unique = {"by_args": True, "by_queue": True}

    first = await admin.enqueue(task_params={"a": 1}, unique=unique)
    second = await admin.enqueue(task_params={"a": 1}, unique=unique)

    assert (first.status, second.status) == (201, 200)
    assert second.json["duplicate"] is True
    assert second.json["job_id"] == first.json["job_id"]
    assert await value(conn, "SELECT count(*) FROM river_job") == 1


async def test_many_jobs_are_enqueued_in_order_or_not_at_all(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    good = [{"task_type": "email", "task_params": {"n": number}} for number in range(1000)]

    refused = await admin.post(
        "/admin/queue/enqueue_many", {"jobs": [*good[:5], {"task_type": "email", "priority": 0}]}
    )
    too_many = await admin.post("/admin/queue/enqueue_many", {"jobs": [*good, good[0]]})
    before = await value(conn, "SELECT count(*) FROM river_job")
    accepted = await admin.post("/admin/queue/enqueue_many", {"jobs": good})

    assert (refused.status, refused.pointers) == (422, ["/jobs/5/priority"])
    assert (too_many.status, too_many.pointers) == (422, ["/jobs"])
    assert before == 0
    assert accepted.status == 201
    ids = [each["job_id"] for each in accepted.json["jobs"]]
    assert ids == sorted(ids)
    assert await value(conn, "SELECT array_agg((args->>'n')::int ORDER BY id) FROM river_job") == list(range(1000))


async def test_everything_about_a_job_can_be_said(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    answer = await admin.enqueue(
        scheduled_at="2030-01-31T08:00:00.5+08:00",
        max_attempts=7,
        timeout_s=1.5,
        tags=["first_tag", "second-tag"],
        metadata={"tenant": 7},
    )

    row = await job(conn, answer.json["job_id"])
    assert answer.json["scheduled_at"] == "2030-01-31T00:00:00.500Z"
    assert (row["max_attempts"], row["tags"]) == (7, ["first_tag", "second-tag"])
    assert row["metadata"] == {"tenant": 7, "riverrun:timeout_seconds": 1.5}
