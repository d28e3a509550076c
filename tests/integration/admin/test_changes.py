"""Jobs that wait are run now, snoozed, moved, reprioritized and edited; others are left alone, with a sentence."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from support.admin import Admin, running_admin
from support.jobs import ago, insert
from support.queries import value

Connection = AsyncConnection[TupleRow]

CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("snooze", {"delay_s": 60}, "state = 'scheduled' AND scheduled_at > now() + interval '50 seconds'"),
    ("reprioritize", {"priority": 7}, "priority = 7"),
    ("move", {"queue": "slow"}, "queue = 'slow'"),
]


@pytest.mark.parametrize(("verb", "fields", "afterwards"), CHANGES, ids=[case[0] for case in CHANGES])
async def test_a_job_that_waits_is_changed(
    admin: Admin, conn: Connection, verb: str, fields: dict[str, Any], afterwards: str
) -> None:
    job_id = await insert(conn, state="available", max_attempts=25)

    answer = await admin.post(f"/admin/queue/{verb}", {"job_id": job_id, **fields})

    assert answer.status == 200, answer.text
    assert await value(conn, f"SELECT {afterwards} FROM river_job") is True


@pytest.mark.parametrize("verb", ["run", "snooze", "reprioritize", "move"])
async def test_others_are_left_alone(admin: Admin, conn: Connection, verb: str) -> None:
    running = await insert(conn, state="running", max_attempts=25)
    done = await insert(conn, state="completed", max_attempts=25, finalized_at=ago("1 hour"))
    fields: dict[str, Any] = {name: fields for name, fields, _ in CHANGES}.get(verb, {})
    before = await value(conn, "SELECT json_agg(river_job ORDER BY id)::text FROM river_job")

    answers = [
        await admin.post(f"/admin/queue/{verb}", {"job_id": job_id, **fields}) for job_id in (running, done, 12345)
    ]

    assert [answer.json["code"] for answer in answers] == ["job-running", "job-finalized", "not-found"]
    assert await value(conn, "SELECT json_agg(river_job ORDER BY id)::text FROM river_job") == before


@pytest.mark.parametrize("state", ["scheduled", "retryable", "pending", "available"])
async def test_a_job_that_waits_for_its_time_runs_now(admin: Admin, conn: Connection, state: str) -> None:
    job_id = await insert(conn, state=state, max_attempts=25)

    answer = await admin.post("/admin/queue/run", {"job_ids": [job_id]})

    assert answer.json["results"] == [{"job_id": job_id, "ok": True, "state": "available"}]
    assert await value(conn, "SELECT state = 'available' AND scheduled_at <= now() FROM river_job") is True


async def test_an_edit_keeps_what_was_there_before_in_the_record(admin: Admin, conn: Connection) -> None:
    made = await admin.enqueue(task_params='{"n": 1.10}', priority=3)
    job_id = made.json["job_id"]

    answer = await admin.post(
        "/admin/queue/update",
        {"job_id": job_id, "task_params": '{"n": 12345678901234567890.10}', "priority": 1, "tags": ["vip"]},
    )
    entry = (await admin.get("/admin/audit/list")).json["data"][0]

    assert answer.status == 200, answer.text
    assert await value(conn, "SELECT args::text FROM river_job") == '{"n": 12345678901234567890.10}'
    assert (answer.json["priority"], answer.json["tags"]) == (1, ["vip"])
    assert (entry["action"], entry["before"]["priority"], entry["before"]["tags"]) == ("queue.update", 3, [])
    assert entry["before"]["task_params"] == '{"n": 1.10}'


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/job_id"),
        ({"task_params": "[]"}, "/task_params"),
        ({"task_params": '{"password": "***"}'}, "/task_params"),
        ({"priority": 0}, "/priority"),
        ({"queue": "A b"}, "/queue"),
        ({"state": "completed"}, "/state"),
        ({"tags": ["x"]}, "/tags"),
    ],
)
async def test_an_edit_that_is_not_allowed_changes_nothing(
    admin: Admin, conn: Connection, fields: dict[str, Any], pointer: str
) -> None:
    job_id = await insert(conn, state="available", max_attempts=25)

    answer = await admin.post("/admin/queue/update", {"job_id": job_id, **fields})

    assert (answer.status, answer.pointers) == (422, [pointer]), answer.text
    assert await value(conn, "SELECT count(*) FROM riverrun_audit") == 0


async def test_what_is_hidden_in_the_middle_of_a_text_is_not_stored_as_it_is_shown(
    database: str, conn: Connection
) -> None:
    paid = '{"note": "paid with 4111111111111111 on Monday"}'
    async with running_admin(database, mask_patterns=[r"[0-9]{13,19}"]) as admin:
        job_id = (await admin.enqueue(task_params=paid)).json["job_id"]
        shown = (await admin.get(f"/admin/queue/jobs/{job_id}")).json["task_params"]

        edited = await admin.post("/admin/queue/update", {"job_id": job_id, "task_params": shown})
        form = {"job_id": job_id, "task_params": orjson.dumps(shown).decode(), "max_attempts": 25, "tags": ""}
        sent = await admin.request("POST", "/admin/form/job/edit", data=form)
        like = {"task_type": "email", "queue": "default", "task_params": form["task_params"], "like": job_id}
        copied = await admin.request("POST", "/admin/form/enqueue", data=like)

    assert shown == {"note": "paid with *** on Monday"}
    assert (edited.status, edited.pointers) == (422, ["/task_params"])
    assert "which stands for what is hidden" in edited.json["errors"][0]["detail"]
    assert (sent.status, copied.status) == (422, 422)
    assert await value(conn, "SELECT array_agg(args::text) FROM river_job") == [paid]


FILTERS = [
    ("state:available", 2),
    ("kind:email queue:mail", 1),
    ("args.user.id:7", 1),
    ('args.user.id:"7"', 0),
    ("meta.tenant:acme", 1),
    ("tag:vip created:>-1h", 1),
    ("created:<-1h", 0),
    ("email", 2),
]


@pytest.mark.parametrize(("text", "jobs"), FILTERS)
async def test_the_list_takes_a_filter(admin: Admin, text: str, jobs: int) -> None:
    await admin.enqueue(queue="mail", task_params='{"user": {"id": 7}}', tags=["vip"])
    await admin.enqueue(metadata={"tenant": "acme"})

    listed = await admin.get("/admin/queue/jobs", params={"filter": text})

    assert len(listed.json["data"]) == jobs, listed.text


async def test_a_filter_stays_good_from_page_to_page(admin: Admin) -> None:
    for _ in range(3):
        await admin.enqueue()

    query = {"filter": "kind:email created:>-1h", "limit": "2"}
    first = (await admin.get("/admin/queue/jobs", params=query)).json
    second = (await admin.get("/admin/queue/jobs", params={**query, "cursor": first["next_cursor"]})).json
    other = await admin.get("/admin/queue/jobs?filter=kind:report", params={"cursor": first["next_cursor"]})

    assert len({job["job_id"] for job in first["data"] + second["data"]}) == 3
    assert other.status == 400


@pytest.mark.parametrize("query", ["filter=colour:red", "filter=state:running&state=running", "filter=(a%2B)%2B$"])
async def test_a_filter_that_is_not_allowed_is_told(admin: Admin, query: str) -> None:
    answer = await admin.get(f"/admin/queue/jobs?{query}")

    assert (answer.status, answer.json["code"]) == (422, "validation")
    assert answer.pointers[0].startswith("?filter")
