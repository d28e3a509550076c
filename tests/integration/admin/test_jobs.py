"""List, show, cancel, retry and delete jobs; pause, resume and scale queues; the statistics."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from support.admin import Admin
from support.eventually import eventually
from support.jobs import ago, insert, job
from support.queries import value

OURS: dict[str, Any] = {"attempt": 1, "attempted_at": ago("1 minute"), "attempted_by": ["host_1_00000000"]}


async def _one_of_each(conn: AsyncConnection[TupleRow]) -> dict[str, int]:
    """Insert a job of each state and return their ids."""
    columns: dict[str, dict[str, Any]] = {
        "available": {},
        "pending": {},
        "scheduled": {"scheduled_at": ago("-1 hour")},
        "retryable": {"scheduled_at": ago("-1 hour"), **OURS},
        "running": OURS,
        **{state: {"finalized_at": ago("1 second"), **OURS} for state in ("completed", "cancelled", "discarded")},
    }
    return {state: await insert(conn, state=state, **more) for state, more in columns.items()}


async def test_cancel_answers_by_the_state_of_the_job(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    ids = await _one_of_each(conn)

    answers = {state: await admin.post("/admin/queue/cancel", {"job_id": job_id}) for state, job_id in ids.items()}

    assert {state: answer.status for state, answer in answers.items()} == {
        **dict.fromkeys(("available", "pending", "scheduled", "retryable", "cancelled"), 200),
        "running": 202,
        **dict.fromkeys(("completed", "discarded"), 409),
    }
    assert answers["running"].json == {"job_id": ids["running"], "state": "running", "cancel_requested": True}
    assert answers["available"].json == {"job_id": ids["available"], "state": "cancelled", "cancel_requested": False}
    assert answers["completed"].json["code"] == "job-finalized"
    assert "cancel_attempted_at" in (await job(conn, ids["running"]))["metadata"]


@pytest.mark.parametrize("action", ["cancel", "retry", "delete"])
async def test_a_list_of_jobs_gets_an_answer_for_each(
    admin: Admin, conn: AsyncConnection[TupleRow], action: str
) -> None:
    ids = await _one_of_each(conn)

    answer = await admin.post(f"/admin/queue/{action}", {"job_ids": [*ids.values(), 999_999, ids["running"]]})

    told = {each["job_id"]: each.get("code", each["ok"]) for each in answer.json["results"]}
    refused: dict[str, dict[str, object]] = {
        "cancel": {"completed": "job-finalized", "discarded": "job-finalized"},
        "retry": {"running": "job-running"},
        "delete": {"running": "job-running"},
    }
    assert answer.status == 200
    assert told == {job_id: refused[action].get(state, True) for state, job_id in ids.items()} | {999_999: "not-found"}


async def test_a_unique_conflict_of_one_job_leaves_the_retry_of_the_others(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    unique: dict[str, Any] = {"unique_key": b"k" * 32, "unique_states": "11110101"}
    cancelled: dict[str, Any] = {"state": "cancelled", "finalized_at": ago("1 second")}
    await insert(conn, **unique)
    rival = await insert(conn, **unique, **cancelled)
    other = await insert(conn, **cancelled)

    several = await admin.post("/admin/queue/retry", {"job_ids": [rival, other]})
    alone = await admin.post("/admin/queue/retry", {"job_id": rival})

    assert [each.get("code") for each in several.json["results"]] == ["unique-conflict", None]
    assert (alone.status, alone.json["code"]) == (409, "unique-conflict")
    assert (await job(conn, other))["state"] == "available"
    assert (await job(conn, rival))["state"] == "cancelled"


async def test_a_job_is_shown_whole(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    element = '{"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": "boom", "trace": "line 1"}'
    job_id = await insert(
        conn,
        args='{"n": 1.10}',
        state="retryable",
        metadata='{"output": {"big": 123456789012345678901234567890}, "note": 1}',
        tags=["red-tag"],
        errors=[element],
        **OURS,
    )

    answer = await admin.get(f"/admin/queue/jobs/{job_id}")

    assert answer.json["errors"] == [
        {"at": "2026-01-01T00:00:00.000Z", "attempt": 1, "error": "boom", "trace": "line 1"}
    ]
    assert answer.json["attempted_by"] == ["host_1_00000000"]
    assert b'"task_params":{"n": 1.10}' in answer.body
    assert b'"big":123456789012345678901234567890' in answer.body


async def test_the_list_of_the_quick_start_filters_by_queue_and_state(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    wanted = await insert(conn)
    await insert(conn, queue="mail")
    await insert(conn, state="completed", finalized_at=ago("1 second"))

    answer = await admin.get("/admin/queue/jobs?queue=default&state=available", headers={"Accept": "*/*"})

    assert [each["job_id"] for each in answer.json["data"]] == [wanted]
    assert answer.json["count"] == {"value": 1, "relation": "eq"}
    assert answer.json["next_cursor"] is None


FILTERS: list[tuple[str, list[int]]] = [
    ("kind=report", [1]),
    ("kind=report&kind=email", [0, 1, 2]),
    ("tag=red-tag", [2]),
    ("tag=red-tag&tag=big-tag&tags_all=red-tag", [2]),
    ("tags_all=red-tag&tags_all=big-tag", []),
    ("metadata=%7B%22deep%22%3A%7B%22n%22%3A1%7D%7D", [0]),
    ("priority=2", [1]),
    ("priority=2&priority=3", [1, 2]),
    ("state=completed&state=available", [0, 1, 2]),
    ("state=completed&queue=mail", []),
    ("state=available&queue=mail", [2]),
    ("created_before=2020-01-01T00:00:00Z", [1]),
    ("created_after=2020-01-01T00:00:00%2B08:00", [0, 2]),
    ("kind=&queue=&state=&id=", [0, 1, 2]),
]


@pytest.mark.parametrize(("query", "places"), FILTERS)
async def test_filters_of_one_name_widen_and_of_different_names_narrow(
    admin: Admin, conn: AsyncConnection[TupleRow], query: str, places: list[int]
) -> None:
    ids = [
        await insert(conn, state="completed", finalized_at=ago("1 second"), metadata='{"deep": {"n": 1, "m": 2}}'),
        await insert(conn, kind="report", priority=2, created_at="2019-01-01T00:00:00Z"),
        await insert(conn, queue="mail", priority=3, tags=["red-tag"]),
    ]

    answer = await admin.get(f"/admin/queue/jobs?{query}")

    assert sorted(each["job_id"] for each in answer.json["data"]) == [ids[place] for place in places]


async def test_an_order_lists_jobs_by_id_whatever_their_states(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    ids = [await insert(conn, priority=priority) for priority in (3, 1, 2)]

    oldest = await admin.get("/admin/queue/jobs?state=available&order=oldest&limit=2")
    rest = await admin.get(f"/admin/queue/jobs?state=available&order=oldest&cursor={oldest.json['next_cursor']}")
    refused = await admin.get("/admin/queue/jobs?order=random")

    assert [each["job_id"] for each in oldest.json["data"] + rest.json["data"]] == ids
    assert (refused.status, "order" in refused.json["detail"]) == (422, True)


async def test_pause_resume_and_scale_are_stored(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    paused = await admin.post("/admin/queue/pause", {"queue": "mail"})
    is_paused = await value(conn, "SELECT paused_at IS NOT NULL FROM river_queue WHERE name = 'mail'")
    resumed = await admin.post("/admin/queue/resume", {"queue": "*"})
    scaled = await admin.post("/admin/queue/scale", {"queue": "mail", "max_workers": 7})
    slots = await value(conn, "SELECT max_workers FROM riverrun_queue_setting")
    reset = await admin.post("/admin/queue/scale", {"queue": "mail", "max_workers": None})

    assert (paused.json, is_paused) == ({"queues": ["mail"], "paused": True}, True)
    assert resumed.json == {"queues": ["mail"], "paused": False}
    assert (scaled.status, slots, reset.status) == (200, 7, 200)
    assert await value(conn, "SELECT count(*) FROM riverrun_queue_setting") == 0


async def test_the_statistics_say_how_every_state_and_queue_stands(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    await _one_of_each(conn)
    await insert(conn, queue="mail", priority=9, scheduled_at=ago("1 hour"))
    await conn.execute(
        "INSERT INTO riverrun_executor (incarnation, server_id, queue, slots, pid, lease_until) VALUES"
        " ('a', 's1', 'default', 5, 1, now() + interval '1 minute'), ('b', 's1', 'default', 6, 2, now())"
    )
    await conn.execute(
        "INSERT INTO riverrun_server (server_id, host, pid, version, roles) VALUES ('s1', 'h', 1, '1', '{executor}')"
    )
    await conn.execute("UPDATE riverrun_leader SET server_id = 's1', heartbeat_at = now()")
    await conn.execute(
        "INSERT INTO riverrun_minute (minute, queue, kind, completed, retried, discarded, run_buckets) VALUES"
        " (date_trunc('minute', now()) - interval '1 minute', 'default', 'a', 5, 1, 1, '{100,0}'),"
        " (date_trunc('minute', now()) - interval '1 minute', 'default', 'b', 7, 0, 1, '{0,100}')"
    )

    answer = await admin.get("/admin/queue/stats")

    assert set(answer.json["states"]) == {
        "available", "cancelled", "completed", "discarded", "pending", "retryable", "running", "scheduled"
    }  # fmt: skip
    assert answer.json["states"]["available"] == {"value": 2, "relation": "eq"}
    queues = {each["name"]: each for each in answer.json["queues"]}
    default: dict[str, Any] = queues["default"]
    assert (default["slots"], default["executors"]) == (5, 1)
    assert (default["completed_1m"], default["failed_1m"]) == (12, 3)
    assert 0.005 < default["run_p95_s"] <= 0.01
    assert queues["mail"]["oldest_age_s"] >= 3600
    assert answer.json["leader"] == "s1"
    assert answer.json["hosts"][0]["leader"] is True


async def test_statistics_that_have_not_changed_are_not_sent_again(admin: Admin) -> None:
    first = await admin.get("/admin/queue/stats")
    again = await admin.get("/admin/queue/stats", headers={"If-None-Match": first.headers["ETag"]})

    assert first.json["stale_s"] <= 1.5
    assert again.status == 304 or again.headers["ETag"] != first.headers["ETag"]


async def test_a_hundred_dashboards_cost_what_one_costs(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    answers = await asyncio.gather(*(admin.get("/admin/queue/dashboard") for _ in range(100)))

    assert len({answer.json["as_of"] for answer in answers}) <= 3

    job_id = (await admin.enqueue()).json["job_id"]
    fresh = await admin.get("/admin/queue/stats")

    assert fresh.json["states"]["available"]["value"] == 1
    await admin.post("/admin/queue/cancel", {"job_id": job_id})

    async def is_cancelled() -> bool:
        return bool((await admin.get("/admin/queue/stats")).json["states"]["cancelled"]["value"] == 1)

    await eventually(is_cancelled, within=3.0)
