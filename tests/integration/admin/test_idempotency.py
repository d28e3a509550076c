"""A repeated POST with an Idempotency-Key is answered as the first one was, and does its work once."""

from __future__ import annotations

import asyncio

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from support.admin import Admin
from support.queries import value

KEY = {"Idempotency-Key": "order-4711"}
BODY = {"task_type": "email", "task_params": {"n": 1.10}}


async def _jobs(conn: AsyncConnection[TupleRow]) -> int:
    count: int = await value(conn, "SELECT count(*) FROM river_job")
    return count


async def test_a_repetition_gets_the_first_answer(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    first = await admin.post("/admin/queue/enqueue", BODY, headers=KEY)
    second = await admin.post("/admin/queue/enqueue", BODY, headers=KEY)

    assert (first.status, second.status) == (201, 201)
    assert second.body == first.body
    assert second.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert await _jobs(conn) == 1


async def test_a_key_belongs_to_one_request(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    await admin.post("/admin/queue/enqueue", BODY, headers=KEY)

    other_body = await admin.post("/admin/queue/enqueue", {**BODY, "priority": 2}, headers=KEY)
    other_path = await admin.post("/admin/queue/enqueue?lenient=true", BODY, headers=KEY)

    assert [answer.json["code"] for answer in (other_body, other_path)] == ["idempotency-mismatch"] * 2
    assert (other_body.status, await _jobs(conn)) == (422, 1)


async def test_of_many_at_once_one_does_the_work(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    answers = await asyncio.gather(*(admin.post("/admin/queue/enqueue", BODY, headers=KEY) for _ in range(40)))

    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.body for answer in answers if answer.status == 201}) == 1
    assert {answer.json["code"] for answer in answers if answer.status == 409} <= {"in-flight"}
    assert await _jobs(conn) == 1


async def test_while_the_first_is_at_work_a_repetition_is_told_so(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('local ' || 'order-4711', 7220611))")

        answer = await admin.post("/admin/queue/enqueue", BODY, headers=KEY)

    assert (answer.status, answer.json["code"]) == (409, "in-flight")
    assert (await admin.post("/admin/queue/enqueue", BODY, headers=KEY)).status == 201


async def test_a_refused_request_leaves_its_key_free(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    refused = await admin.post("/admin/queue/enqueue", {**BODY, "priority": 0}, headers=KEY)
    accepted = await admin.post("/admin/queue/enqueue", BODY, headers=KEY)

    assert (refused.status, accepted.status) == (422, 201)
    assert await _jobs(conn) == 1


async def test_work_and_answer_commit_together(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    await conn.execute("ALTER TABLE riverrun_idempotency_key ADD CONSTRAINT never CHECK (false) NOT VALID")

    failed = await admin.post("/admin/queue/enqueue", BODY, headers=KEY)
    jobs_after_failure = await _jobs(conn)
    await conn.execute("ALTER TABLE riverrun_idempotency_key DROP CONSTRAINT never")
    repeated = await admin.post("/admin/queue/enqueue", BODY, headers=KEY)

    assert (failed.status, jobs_after_failure) == (500, 0)
    assert (repeated.status, await _jobs(conn)) == (201, 1)


async def test_an_answer_is_kept_for_a_day(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    await admin.post("/admin/queue/enqueue", BODY, headers=KEY)
    await conn.execute("UPDATE riverrun_idempotency_key SET created_at = created_at - interval '25 hours'")

    later = await admin.post("/admin/queue/enqueue", BODY, headers=KEY)

    assert (later.status, "Idempotency-Replayed" in later.headers, await _jobs(conn)) == (201, False, 2)


async def test_every_post_may_carry_a_key(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    ids = [(await admin.enqueue()).json["job_id"] for _ in range(3)]

    cancelled = [await admin.post("/admin/queue/cancel", {"job_ids": ids}, headers=KEY) for _ in range(2)]

    assert cancelled[0].body == cancelled[1].body
    assert cancelled[1].headers["Idempotency-Replayed"] == "true"
    assert (await admin.post("/admin/queue/cancel", {"job_ids": ids}, headers={"Idempotency-Key": ""})).status == 400


async def test_a_form_with_a_key_does_its_work_once(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    headers, sent = {**KEY, "Sec-Fetch-Site": "same-origin"}, {"task_type": "email", "task_params": "{}"}

    first = await admin.request("POST", "/admin/form/enqueue", data=sent, headers=headers)
    second = await admin.request("POST", "/admin/form/enqueue", data=sent, headers=headers)

    job_id = await value(conn, "SELECT id FROM river_job")
    assert (first.status, second.status) == (303, 303)
    assert first.headers["Location"] == second.headers["Location"] == f"../queue/jobs/{job_id}?notice=enqueued"


async def test_an_answer_that_holds_a_secret_is_kept_nowhere(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    body = {
        "task_type": "email", "handler_name": "Email", "handler_type": "http",
        "endpoint_url": "http://localhost:8080/handle",
    }  # fmt: skip

    first = await admin.post("/admin/handler/register", body, headers=KEY)

    assert first.json["signing_secret"]
    assert await value(conn, "SELECT count(*) FROM riverrun_idempotency_key") == 0
