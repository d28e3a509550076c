"""Every change is recorded with it, in one transaction, in a chain that shows when somebody has tampered with it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun_admin import tallies
from riverrun_admin.database import Database
from riverrun_admin.tallies import Happening
from support.admin import Admin
from support.contexts import settings_for
from support.eventually import eventually
from support.queries import value
from support.tokens import BOSS, bearing, make_token

Connection = AsyncConnection[TupleRow]
HAPPENING = Happening("token:ci", "enqueue", "10.0.0.1", "queue.enqueue", "queue:mail", "ok", "email")


async def entries(admin: Admin, query: str = "") -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await admin.get(f"/admin/audit/list{query}")).json["data"]
    return listed


async def test_a_change_is_recorded_with_who_where_what_and_result(admin: Admin) -> None:
    await admin.post(
        "/admin/queue/pause", {"queue": "mail"}, headers={"X-Request-Id": "abc-1", "X-Forwarded-For": "10.9.9.9"}
    )

    (entry,) = await entries(admin)

    told = {name: entry[name] for name in ("actor", "role", "address", "action", "target", "result", "request_id")}
    assert told == {
        "actor": "local", "role": "admin", "address": "127.0.0.1", "action": "queue.pause", "target": "queue:mail",
        "result": "ok", "request_id": "abc-1",
    }  # fmt: skip
    assert entry["after"] == {"queue": "mail"}


CHANGES: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("POST", "/admin/queue/scale", {"queue": "mail", "max_workers": 7}, "queue.scale", "queue:mail"),
    ("POST", "/admin/queue/resume", {"queue": "mail"}, "queue.resume", "queue:mail"),
    (
        "PUT", "/admin/queue/metadata", {"queue": "mail", "metadata": {"owner": "team-a"}},
        "queue.metadata", "queue:mail",
    ),
    (
        "POST", "/admin/handler/register", {"task_type": "ab", "handler_name": "ab", "handler_type": "local"},
        "handler.register", "handler:ab",
    ),
    (
        "POST", "/admin/schedule/create", {"name": "nightly", "task_type": "ab", "every_s": 60.0},
        "schedule.create", "schedule:nightly",
    ),
    ("POST", "/admin/token/create", {"name": "ci"}, "token.create", "token:"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "action", "target"), CHANGES, ids=[case[1] for case in CHANGES])
async def test_every_kind_of_change_is_recorded(
    admin: Admin, method: str, path: str, body: dict[str, Any], action: str, target: str
) -> None:
    answer = await admin.request(method, path, json=body)
    (entry,) = await entries(admin)

    assert answer.status in (200, 201), answer.text
    assert entry["action"] == action
    assert entry["target"].startswith(target)


async def test_a_form_is_recorded_like_the_request_that_it_stands_for(admin: Admin) -> None:
    job_id = (await admin.enqueue()).json["job_id"]
    await admin.request("POST", "/admin/form/job/cancel", data={"job_id": str(job_id)}, headers={"Origin": admin.url})

    (entry,) = await entries(admin, f"?target=job:{job_id}")

    assert entry["action"] == "job.cancel"


async def test_what_was_not_allowed_or_only_read_is_not_recorded(admin: Admin) -> None:
    await admin.post("/admin/queue/cancel", {"job_id": 12345})
    await admin.post("/admin/queue/pause", {"queue": "A b"})
    await admin.get("/admin/queue/jobs")
    await admin.request("POST", "/admin/logout")

    assert await entries(admin) == []


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is counted be written soon, by a server that starts after this."""
    monkeypatch.setattr(tallies, "WRITE_SECONDS", 0.05)


@pytest.mark.usefixtures("often")
async def test_enqueued_jobs_are_recorded_with_their_number(admin: Admin) -> None:
    jobs = [{"task_type": "email", "queue": "mail"}] * 3
    lines = "".join(f"{json.dumps(job)}\n" for job in jobs)
    await admin.post("/admin/queue/enqueue_many", {"jobs": jobs})
    await admin.request(
        "POST", "/admin/queue/enqueue_many", data=lines, headers={"Content-Type": "application/x-ndjson"}
    )

    found = await _recorded(admin, "queue.enqueue", times=6)

    told = {(each["actor"], each["target"], each["result"], each["after"]["task_type"]) for each in found}
    assert told == {("local", "queue:mail", "ok", "email")}


@pytest.mark.usefixtures("often")
async def test_who_is_refused_is_recorded_at_once_and_then_once_a_minute(locked: Admin) -> None:
    reader = bearing((await make_token(locked, "read"))["token"])
    await locked.get("/admin/queue/stats")
    await locked.get("/admin/queue/stats", headers=bearing("a-guess"))
    await locked.request("POST", "/admin/login", data={"token": "another-guess"})
    for _ in range(5):
        await locked.post("/admin/queue/pause", {"queue": "mail"}, headers=reader)

    found = await _recorded(locked, "access.refused", times=3)

    listed = [(each["actor"], each["target"], each["result"]) for each in found]
    assert sorted(listed) == [
        ("nobody", "GET /admin/queue/stats", "unauthorized"),
        ("nobody", "POST /admin/login", "unauthorized"),
        ("token:a read", "POST /admin/queue/pause", "forbidden"),
    ]
    assert "guess" not in json.dumps(found)


async def test_what_comes_while_the_record_cannot_be_written_is_written_later(conn: Connection, database: str) -> None:
    counted = tallies.Tallies(known := Database(settings_for(database)))
    await known.open()
    try:
        await conn.execute("ALTER TABLE riverrun_audit RENAME TO elsewhere")
        counted.add(HAPPENING, times=2)
        await counted.write()
        counted.add(HAPPENING)
        await conn.execute("ALTER TABLE elsewhere RENAME TO riverrun_audit")
        await counted.write(everything=True)
        await counted.write(everything=True)
    finally:
        await known.close()

    assert await value(conn, "SELECT array_agg(entry::jsonb -> 'after' ->> 'times') FROM riverrun_audit") == ["3"]


async def test_very_many_different_ones_are_counted_together(
    conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "MOST_KINDS", 2)
    counted = tallies.Tallies(known := Database(settings_for(database)))
    await known.open()
    try:
        for number in range(10):
            counted.add(replace(HAPPENING, address=f"10.0.0.{number}"))
        await counted.write()
    finally:
        await known.close()

    kept = "SELECT array_agg((entry::jsonb -> 'after' ->> 'times')::int ORDER BY number) FROM riverrun_audit"
    assert await value(conn, kept) == [1, 1, 8]


async def _recorded(admin: Admin, action: str, *, times: int) -> list[dict[str, Any]]:
    """Return the entries about an action as soon as they tell of it so often."""
    found: list[dict[str, Any]] = []

    async def told() -> bool:
        headers = bearing(BOSS)
        found[:] = (await admin.get(f"/admin/audit/list?action={action}", headers=headers)).json["data"]
        return int(sum(each["after"]["times"] for each in found)) >= times

    await eventually(told, within=10)
    return found


async def test_a_change_whose_record_fails_is_not_made(admin: Admin, conn: Connection) -> None:
    await conn.execute("ALTER TABLE riverrun_audit ADD CONSTRAINT full_disk CHECK (action <> 'queue.scale')")

    answer = await admin.post("/admin/queue/scale", {"queue": "mail", "max_workers": 7})

    assert answer.status == 500
    assert await value(conn, "SELECT count(*) FROM riverrun_queue_setting") == 0


async def test_hidden_members_are_not_recorded(admin: Admin) -> None:
    await admin.post(
        "/admin/schedule/create",
        {"name": "nightly", "task_type": "ab", "every_s": 60, "task_params": {"password": "hunter2"}},
    )

    (entry,) = await entries(admin)

    assert "hunter2" not in json.dumps(entry)


async def test_arguments_that_came_as_text_are_recorded_with_what_is_hidden_hidden(admin: Admin) -> None:
    params = '{"n": 1.10, "password": "hunter2"}'
    said = {"name": "nightly", "task_type": "ab", "task_params": params, "every_s": "60"}
    await admin.post("/admin/schedule/create", {**said, "every_s": 60})
    await admin.request("POST", "/admin/form/schedule", data={**said, "name": "hourly"}, headers={"Origin": admin.url})

    found = await entries(admin)

    assert [entry["after"]["task_params"] for entry in found] == ['{"n": 1.10, "password": "***"}'] * 2


ODD: list[tuple[str, str, bytes, int]] = [
    (
        "POST", "/admin/schedule/create",
        b'{"name": "odd", "task_type": "ab", "every_s": 60, "task_params": {"n": 1e400}}', 201,
    ),
    (
        "POST", "/admin/schedule/create",
        b'{"name": "odd", "task_type": "ab", "every_s": 60, "task_params": {"n": ' + b"7" * 400 + b"}}", 201,
    ),
    ("POST", "/admin/queue/pause?lenient=true", b'{"queue": "mail", "old": "\\ud800"}', 200),
    ("DELETE", "/admin/handler/delete?task_type=ab", b"this is no JSON", 204),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status"), ODD)
async def test_a_change_that_is_allowed_is_recorded_whatever_its_body_is(
    admin: Admin, method: str, path: str, body: bytes, status: int
) -> None:
    await admin.post("/admin/handler/register", {"task_type": "ab", "handler_name": "ab", "handler_type": "local"})

    answer = await admin.request(method, path, data=body, headers={"Content-Type": "application/json"})
    newest = (await entries(admin))[0]
    page = await admin.page("/admin/audit/list")
    verdict = (await admin.get("/admin/audit/verify")).json

    assert answer.status == status, answer.text
    assert path.partition("?")[0] == "/admin/" + newest["action"].replace(".", "/")
    assert newest["target"] in ("schedule:odd", "queue:mail", "handler:ab")
    assert (page.status, verdict["intact"], verdict["entries"]) == (200, True, 2)


async def test_a_request_that_brought_no_id_is_recorded_with_the_one_that_it_was_given(admin: Admin) -> None:
    answer = await admin.post("/admin/queue/pause", {"queue": "mail"})
    strange = await admin.post("/admin/queue/pause", {"queue": "mail"}, headers={"X-Request-Id": "<script>"})

    found = await entries(admin)

    assert [entry["request_id"] for entry in found] == [each.headers["X-Request-Id"] for each in (strange, answer)]


async def test_changes_at_once_make_one_chain(admin: Admin, conn: Connection) -> None:
    await asyncio.gather(
        *(admin.post("/admin/queue/scale", {"queue": f"q{number}", "max_workers": 1}) for number in range(1, 30))
    )

    verdict = (await admin.get("/admin/audit/verify")).json
    exported = (await admin.get("/admin/audit/export")).text.splitlines()

    assert verdict == {"intact": True, "entries": 29, "broken_at": None, "reason": None}
    last = b""
    for number, line in enumerate(exported, start=1):
        entry = json.loads(line)
        assert entry["number"] == number
        if last:
            assert hashlib.sha256(last + entry["text"].encode()).hexdigest() == entry["hash"]
        last = bytes.fromhex(entry["hash"])


@pytest.mark.parametrize(
    ("tampering", "broken_at"),
    [
        ("UPDATE riverrun_audit SET entry = replace(entry, 'mail', 'nail') WHERE number = 2", 2),
        ("UPDATE riverrun_audit SET actor = 'somebody' WHERE number = 2", 2),
        ("UPDATE riverrun_audit SET at = at - interval '1 day' WHERE number = 3", 3),
        ("DELETE FROM riverrun_audit WHERE number = 2", 3),
        ("DELETE FROM riverrun_audit WHERE number = 3", 3),
        ("UPDATE riverrun_audit SET hash = sha256('x') WHERE number = 3", 3),
    ],
)
async def test_tampering_is_found(admin: Admin, conn: Connection, tampering: str, broken_at: int) -> None:
    for _ in range(3):
        await admin.post("/admin/queue/pause", {"queue": "mail"})
    await conn.execute(tampering.encode())

    verdict = (await admin.get("/admin/audit/verify")).json

    assert (verdict["intact"], verdict["broken_at"]) == (False, broken_at), verdict
    assert verdict["reason"]


async def test_the_record_is_listed_in_pages_and_by_who_and_what(admin: Admin) -> None:
    for queue in ("mail", "default", "mail"):
        await admin.post("/admin/queue/pause", {"queue": queue})

    first = (await admin.get("/admin/audit/list?limit=2")).json
    second = (await admin.get(f"/admin/audit/list?limit=2&cursor={first['next_cursor']}")).json
    of_mail = await entries(admin, "?target=queue:mail")
    broken = await admin.get("/admin/audit/list?cursor=x")

    assert [entry["number"] for entry in first["data"] + second["data"]] == [3, 2, 1]
    assert second["next_cursor"] is None
    assert [entry["number"] for entry in of_mail] == [3, 1]
    assert (broken.status, broken.json["code"]) == (400, "invalid-cursor")
