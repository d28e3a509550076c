"""The registry of handlers, and schedules, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from support.admin import Admin
from support.jobs import insert
from support.queries import value

SEED: dict[str, Any] = {
    "task_type": "custom_task",
    "handler_name": "CustomTaskHandler",
    "handler_type": "http",
    "endpoint_url": "http://localhost:8080/handle",
    "timeout": 60,
    "retry_count": 3,
    "description": "自定义任务处理器",
}


async def test_the_registration_of_the_quick_start_is_stored_and_listed(admin: Admin) -> None:
    answer = await admin.post("/admin/handler/register", SEED)
    listed = await admin.get("/admin/handler/list")

    assert answer.status == 201
    assert answer.json.items() >= SEED.items()
    assert answer.json.pop("signing_secret").startswith("whsec_")
    assert answer.headers["ETag"] == f'"{answer.json["version"]}"'
    assert listed.json["data"] == [answer.json]


async def test_a_second_registration_is_the_same_a_conflict_or_an_upsert(admin: Admin) -> None:
    first = await admin.post("/admin/handler/register", SEED)
    same = await admin.post("/admin/handler/register", SEED)
    other = await admin.post("/admin/handler/register", {**SEED, "timeout": 5})
    upsert = await admin.post("/admin/handler/register?upsert=true", {**SEED, "timeout": 5})

    assert [answer.status for answer in (first, same, other, upsert)] == [201, 200, 409, 200]
    del first.json["signing_secret"]  # of a new one only
    assert same.json == first.json
    assert upsert.json["timeout"] == 5
    assert upsert.json["version"] > first.json["version"]


async def test_an_update_leaves_what_it_does_not_name(admin: Admin) -> None:
    await admin.post("/admin/handler/register", SEED)

    changed = await admin.request("PUT", "/admin/handler/update", json={"task_type": "custom_task", "timeout": None})
    missing = await admin.request("PUT", "/admin/handler/update", json={"task_type": "unknown", "timeout": 1})
    wrong = await admin.request(
        "PUT", "/admin/handler/update", json={"task_type": "custom_task", "handler_type": "local"}
    )

    assert changed.json.items() >= {**SEED, "timeout": None}.items()
    assert missing.status == 404
    assert (wrong.status, wrong.pointers) == (422, ["/endpoint_url"])


async def test_if_match_keeps_a_change_from_overwriting_another(admin: Admin) -> None:
    old = (await admin.post("/admin/handler/register", SEED)).headers["ETag"]
    change = {"task_type": "custom_task", "timeout": 9}

    fits = await admin.request("PUT", "/admin/handler/update", json=change, headers={"If-Match": old})
    stale = await admin.request(
        "PUT", "/admin/handler/update", json={**change, "timeout": 8}, headers={"If-Match": old}
    )
    stale_delete = await admin.request(
        "DELETE", "/admin/handler/delete?task_type=custom_task", headers={"If-Match": old}
    )
    nonsense = await admin.request("PUT", "/admin/handler/update", json=change, headers={"If-Match": '"abc"'})

    assert [answer.status for answer in (fits, stale, stale_delete, nonsense)] == [200, 412, 412, 412]
    assert (await admin.get("/admin/handler/list")).json["data"][0]["timeout"] == 9


async def test_if_match_keeps_an_upsert_from_overwriting_or_reviving_a_handler(admin: Admin) -> None:
    old = {"If-Match": (await admin.post("/admin/handler/register", SEED)).headers["ETag"]}
    upsert = "/admin/handler/register?upsert=true"

    fits = await admin.post(upsert, {**SEED, "timeout": 9}, headers=old)
    stale = await admin.post(upsert, {**SEED, "timeout": 8}, headers=old)
    present = await admin.get("/admin/handler/list")
    await admin.request("DELETE", "/admin/handler/delete?task_type=custom_task")
    gone = await admin.post(upsert, SEED, headers={"If-Match": fits.headers["ETag"]})

    assert [answer.status for answer in (fits, stale, gone)] == [200, 412, 404]
    assert [each["timeout"] for each in present.json["data"]] == [9]
    assert (await admin.get("/admin/handler/list")).json["data"] == []


async def test_a_handler_that_unfinished_jobs_need_is_deleted_only_by_force(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    await admin.post("/admin/handler/register", SEED)
    await insert(conn, kind="custom_task")

    refused = await admin.request("DELETE", "/admin/handler/delete", json={"task_type": "custom_task"})
    forced = await admin.request("DELETE", "/admin/handler/delete?task_type=custom_task&force=true")
    again = await admin.request("DELETE", "/admin/handler/delete?task_type=custom_task")

    assert refused.status == 409
    assert "1 unfinished jobs" in refused.json["detail"]
    assert (forced.status, again.status) == (204, 404)
    assert await value(conn, "SELECT count(*) FROM riverrun_handler") == 0


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"handler_type": "ftp"}, "/handler_type"),
    ({"handler_type": "local"}, "/endpoint_url"),
    ({"handler_type": "local", "endpoint_url": "", "handler_name": "os.system"}, "/handler_name"),
    ({"handler_type": "local", "endpoint_url": "", "handler_name": "shop.tasks:send"}, "/handler_name"),
    ({"handler_name": ""}, "/handler_name"),
    ({"handler_name": "a\0b"}, "/handler_name"),
    ({"task_type": "a b"}, "/task_type"),
    ({"timeout": 0}, "/timeout"),
    ({"timeout": -1}, "/timeout"),
    ({"timeout": 86401}, "/timeout"),
    ({"timeout": "60"}, "/timeout"),
    ({"retry_count": -1}, "/retry_count"),
    ({"retry_count": 32767}, "/retry_count"),
    ({"retry_count": 1.5}, "/retry_count"),
    ({"description": "x" * 4097}, "/description"),
    ({"endpoint_url": ""}, "/endpoint_url"),
    ({"endpoint_url": "/handle"}, "/endpoint_url"),
    ({"endpoint_url": "ftp://example.com/"}, "/endpoint_url"),
    ({"endpoint_url": "http://user:secret@example.com/"}, "/endpoint_url"),
    ({"endpoint_url": "http://169.254.169.254/latest"}, "/endpoint_url"),
    ({"endpoint_url": "http://metadata.google.internal/"}, "/endpoint_url"),
]


@pytest.mark.parametrize(("fields", "pointer"), REFUSED, ids=lambda case: str(case)[:50])
async def test_a_registration_that_is_not_allowed_changes_nothing(
    admin: Admin, conn: AsyncConnection[TupleRow], fields: dict[str, Any], pointer: str
) -> None:
    answer = await admin.post("/admin/handler/register", {**SEED, **fields})

    assert (answer.status, answer.pointers) == (422, [pointer])
    assert "secret" not in answer.text
    assert await value(conn, "SELECT count(*) FROM riverrun_handler") == 0


async def test_grpc_handlers_are_stored(admin: Admin) -> None:
    answer = await admin.post(
        "/admin/handler/register", {**SEED, "handler_type": "grpc", "endpoint_url": "grpc://localhost:50051"}
    )

    assert answer.status == 201


async def test_a_schedule_is_made_changed_paused_run_and_deleted(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    body = {"name": "nightly", "task_type": "report", "cron": "30 4 * * *", "timezone": "Asia/Shanghai",
            "task_params": {"n": 1}}  # fmt: skip

    created = await admin.post("/admin/schedule/create", body)
    twice = await admin.post("/admin/schedule/create", body)
    stale = {"If-Match": '"999"'}
    refused = await admin.request("PUT", "/admin/schedule/update", json=body, headers=stale)
    changed = await admin.request("PUT", "/admin/schedule/update", json={**body, "cron": None, "every_s": 90})
    paused = await admin.post("/admin/schedule/pause", {"name": "nightly"})
    resumed = await admin.post("/admin/schedule/resume", {"name": "nightly"})
    run = await admin.post("/admin/schedule/run", {"name": "nightly"})
    listed = await admin.get("/admin/schedule/list")
    deleted = await admin.request("DELETE", "/admin/schedule/delete?name=nightly")

    assert (created.status, twice.status, refused.status) == (201, 409, 412)
    assert len(created.json["next"]) == 3
    assert changed.json["expression"].startswith("@every")
    assert paused.json["paused_at"] is not None
    assert (resumed.json["paused_at"], paused.json["next"]) == (None, [])
    assert run.status == 201
    assert await value(conn, "SELECT kind FROM river_job") == "report"
    assert [each["name"] for each in listed.json["data"]] == ["nightly"]
    assert deleted.status == 204
