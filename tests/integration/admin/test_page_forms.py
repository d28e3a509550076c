"""The forms on pages: what each does, what it refuses, and where it leads."""

from __future__ import annotations

import re

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from support.admin import Admin
from support.jobs import ago, insert, job
from support.queries import value


async def test_forms_cancel_retry_and_delete_a_job(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    job_id = await insert(conn, state="discarded", finalized_at=ago("1 minute"))
    body = {"job_id": str(job_id)}

    refused = await admin.request("POST", "/admin/form/job/cancel", data=body, headers={"Accept": "text/html"})
    retried = await admin.request("POST", "/admin/form/job/retry", data=body)
    state = (await job(conn, job_id))["state"]
    deleted = await admin.request("POST", "/admin/form/job/delete", data=body)
    missing = await admin.request("POST", "/admin/form/job/explode", data=body)
    as_json = await admin.post("/admin/form/job/cancel", body)

    assert refused.status == 409
    assert "already discarded" in refused.text
    assert (retried.status, state) == (303, "available")
    assert (deleted.status, deleted.headers["Location"]) == (303, "../../queue/jobs?notice=deleted")
    assert (missing.status, as_json.status) == (404, 415)


async def test_forms_lead_back_to_pages_of_ours_alone(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    await insert(conn, queue="mail")
    for back, target in (
        ("page/queue?name=mail", "../../page/queue?name=mail&notice=paused"),
        ("//evil.example/", "../../queue/list?notice=paused"),
        ("queue//evil.example", "../../queue/list?notice=paused"),
        ("https://evil.example/", "../../queue/list?notice=paused"),
    ):
        answer = await admin.request("POST", "/admin/form/queue/pause", data={"queue": "mail", "back": back})
        assert answer.headers["Location"] == target, back


async def test_forms_act_on_the_jobs_that_are_ticked(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    ids = [await insert(conn, state="discarded", finalized_at=ago("1 minute")) for _ in range(3)]

    retried = await admin.request("POST", "/admin/form/jobs/retry", data=[("id", str(each)) for each in ids[:2]])
    partly = await admin.request("POST", "/admin/form/jobs/cancel", data=[("id", str(each)) for each in ids])
    none = await admin.request("POST", "/admin/form/jobs/retry", data={"back": "queue/jobs"})

    assert retried.headers["Location"].endswith("notice=done")
    assert partly.headers["Location"].endswith("notice=partly")
    assert [(await job(conn, each))["state"] for each in ids] == ["cancelled", "cancelled", "discarded"]
    assert none.status == 422


async def test_forms_make_change_pause_run_and_delete_a_schedule(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    said = {
        "name": "nightly",
        "task_type": "report",
        "cron": "30 4 * * *",
        "timezone": "Asia/Shanghai",
        "tags": "a1b, c2d",
    }

    made = await admin.request("POST", "/admin/form/schedule", data=said)
    form = (await admin.page("/admin/page/schedule?name=nightly")).text
    revision = re.findall(r'name="revision" value="(\d+)"', form)[0]
    changed = await admin.request(
        "POST", "/admin/form/schedule", data={**said, "cron": "@hourly", "revision": revision}
    )
    stale = await admin.request("POST", "/admin/form/schedule", data={**said, "revision": revision})
    paused = await admin.request("POST", "/admin/form/schedule/pause", data={"name": "nightly"})
    run = await admin.request("POST", "/admin/form/schedule/run", data={"name": "nightly"})
    deleted = await admin.request("POST", "/admin/form/schedule/delete", data={"name": "nightly"})
    wrong = await admin.request("POST", "/admin/form/schedule", data={**said, "cron": "not cron"})

    assert [each.status for each in (made, changed, paused, run, deleted)] == [303] * 5
    assert (stale.status, wrong.status) == (412, 422)
    assert re.search(r"queue/jobs/\d+\?notice=enqueued", run.headers["Location"])


async def test_a_form_keeps_what_it_has_no_fields_for_of_a_schedule(admin: Admin) -> None:
    rest = {"metadata": {"team": "a"}, "run_on_start": True, "unique": {"by_args": True}}
    said = {"name": "nightly", "task_type": "report", "cron": "30 4 * * *"}
    await admin.post("/admin/schedule/create", {**said, **rest})
    [before] = (await admin.get("/admin/schedule/list")).json["data"]

    saved = await admin.request(
        "POST", "/admin/form/schedule", data={**said, "cron": "@hourly", "revision": before["version"]}
    )

    [after] = (await admin.get("/admin/schedule/list")).json["data"]
    assert saved.status == 303
    assert after["expression"] == "@hourly"
    assert [after[name] for name in rest] == [before[name] for name in rest]


async def test_a_schedule_that_is_run_by_hand_takes_the_attempts_of_its_handler(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    await admin.post("/admin/schedule/create", {"name": "nightly", "task_type": "report", "cron": "30 4 * * *"})
    handler = {"task_type": "report", "handler_name": "report", "handler_type": "local", "retry_count": 2}
    await admin.post("/admin/handler/register", handler)

    run = await admin.post("/admin/schedule/run", {"name": "nightly"})

    assert run.status == 201, run.text
    assert await value(conn, "SELECT max_attempts FROM river_job") == 3


async def test_forms_register_change_and_delete_a_handler(admin: Admin) -> None:
    said = {
        "task_type": "report",
        "handler_name": "report",
        "handler_type": "local",
        "timeout": "2.5",
        "description": "x",
    }

    made = await admin.request("POST", "/admin/form/handler", data=said)
    form = (await admin.page("/admin/page/handler?task_type=report")).text
    revision = re.findall(r'name="revision" value="(\d+)"', form)[0]
    changed = await admin.request("POST", "/admin/form/handler", data={**said, "timeout": "", "revision": revision})
    (handler,) = (await admin.get("/admin/handler/list")).json["data"]
    deleted = await admin.request("POST", "/admin/form/handler/delete", data={"task_type": "report"})
    wrong = await admin.request("POST", "/admin/form/handler", data={**said, "timeout": "soon"})

    assert [each.status for each in (made, changed, deleted)] == [303] * 3
    assert (handler["timeout"], handler["description"]) == (None, "x")
    assert wrong.status == 422


async def test_a_form_enqueues_a_job_like_another(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    like = await insert(conn, args='{"n": 12345678901234567890}', tags=["red-tag"])
    said = {"task_type": "email", "task_params": '{"n": 12345678901234567890}', "queue": "mail", "tags": "red-tag"}

    form = (await admin.page(f"/admin/page/enqueue?like={like}")).text
    made = await admin.request("POST", "/admin/form/enqueue", data=said)
    wrong = await admin.request("POST", "/admin/form/enqueue", data={**said, "task_params": "[1]"})

    assert "12345678901234567890" in form
    assert made.status == 303
    found = re.search(r"queue/jobs/(\d+)\?notice=enqueued", made.headers["Location"])
    assert found is not None
    assert (await job(conn, int(found[1])))["tags"] == ["red-tag"]
    assert wrong.status == 422
