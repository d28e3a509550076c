"""A request never waits for a second connection while it holds one: however many come at once, each is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun_admin import database as pool
from riverrun_admin import known_tokens
from support.admin import Admin, Answer, running_admin
from support.eventually import eventually
from support.queries import value
from support.tokens import BOSS, bearing, make_token

ORIGIN = {"Sec-Fetch-Site": "same-origin"}
QUEUES: dict[str, Any] = {"queues": {"mail": {}}}
SCHEDULE = {"name": "nightly", "task_type": "email", "queue": "mail", "every_s": 3600.0}
CALLED = {
    "task_type": "call", "handler_name": "Call", "handler_type": "http", "endpoint_url": "http://127.0.0.1:1/",
}  # fmt: skip
CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/admin/queue/enqueue", {"task_type": "email", "queue": "mail", "pending": True}),
    ("POST", "/admin/queue/enqueue_many", {"jobs": [{"task_type": "email", "queue": "mail"}]}),
    ("POST", "/admin/queue/run", {"job_id": 1}),
    ("POST", "/admin/queue/snooze", {"job_id": 2, "delay_s": 3600}),
    ("POST", "/admin/queue/reprioritize", {"job_id": 2, "priority": 3}),
    ("POST", "/admin/queue/move", {"job_id": 2, "queue": "mail"}),
    ("POST", "/admin/queue/update", {"job_id": 2, "tags": ["seen"]}),
    ("POST", "/admin/queue/cancel", {"job_ids": [1, 2]}),
    ("POST", "/admin/queue/retry", {"job_ids": [1, 2]}),
    ("POST", "/admin/queue/bulk", {"action": "cancel", "filter": "queue:mail kind:email", "dry_run": True}),
    ("POST", "/admin/queue/bulk", {"action": "cancel", "filter": "kind:nothing"}),
    ("POST", "/admin/queue/clear", {"queue": "mail"}),
    ("POST", "/admin/queue/drain", {"queue": "mail"}),
    ("POST", "/admin/queue/pause", {"queue": "mail"}),
    ("POST", "/admin/queue/resume", {"queue": "mail"}),
    ("POST", "/admin/queue/scale", {"queue": "mail", "max_workers": 7}),
    ("PUT", "/admin/queue/metadata", {"queue": "mail", "metadata": {"owner": "post"}}),
    ("POST", "/admin/schedule/create", SCHEDULE),
    ("PUT", "/admin/schedule/update", SCHEDULE),
    ("POST", "/admin/schedule/pause", {"name": "nightly"}),
    ("POST", "/admin/schedule/resume", {"name": "nightly"}),
    ("POST", "/admin/schedule/run", {"name": "nightly"}),
    ("POST", "/admin/handler/test", {"task_type": "call", "queue": "mail", "wait_s": 0}),
]
OF_ALL_QUEUES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/admin/handler/register", CALLED),
    ("PUT", "/admin/handler/update", {"task_type": "call", "timeout": 9.0}),
    ("POST", "/admin/handler/rotate_secret", {"task_type": "call"}),
    ("POST", "/admin/handler/pause", {"task_type": "call"}),
    ("POST", "/admin/handler/resume", {"task_type": "call"}),
]
FORMS: list[tuple[str, dict[str, str]]] = [
    ("enqueue", {"task_type": "email", "queue": "mail", "task_params": "{}"}),
    ("queue/pause", {"queue": "mail"}),
    ("queue/resume", {"queue": "mail"}),
    ("queue/clear", {"queue": "mail"}),
    ("handler/test", {"task_type": "call", "queue": "mail"}),
    ("schedule/run", {"name": "nightly"}),
    ("bulk/begin", {"action": "cancel", "filter": "kind:nothing"}),
]


@asynccontextmanager
async def _few(dsn: str, monkeypatch: pytest.MonkeyPatch, connections: int) -> AsyncIterator[Admin]:
    monkeypatch.setattr(pool, "MOST_CONNECTIONS", connections)
    monkeypatch.setattr(known_tokens, "BELIEVED_SECONDS", 0.0)
    async with running_admin(dsn, river=QUEUES, tokens=[BOSS]) as server:
        yield server


async def _log_in(admin: Admin, token: str) -> Answer:
    return await admin.request("POST", "/admin/login", data={"token": token})


async def test_many_who_log_in_at_once_keep_nobody_waiting(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with _few(database, monkeypatch, 2) as admin:
        token = (await make_token(admin, "read"))["token"]
        both = (
            asyncio.gather(*(_log_in(admin, token) for _ in range(12))),
            asyncio.gather(*(admin.get("/admin/queue/jobs", headers=bearing(BOSS)) for _ in range(3))),
        )

        logins, others = await asyncio.gather(*both)

    assert [answer.status for answer in logins] == [303] * 12
    assert [answer.status for answer in others] == [200] * 3


async def test_wrong_tokens_that_come_all_at_once_are_counted(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with _few(database, monkeypatch, 2) as admin:
        wrong = [answer.status for _ in range(3) for answer in await _guesses(admin, 12)]

        after = await _log_in(admin, "a-guess")

    assert set(wrong) <= {401, 429}
    assert (after.status, after.json["code"]) == (429, "too-many-requests")


async def _guesses(admin: Admin, number: int) -> list[Answer]:
    return list(await asyncio.gather(*(_log_in(admin, f"a-guess-{place}") for place in range(number))))


async def test_a_trial_that_is_waited_for_keeps_no_connection_and_is_begun_once(
    database: str, conn: AsyncConnection[TupleRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, key = {"task_type": "call", "wait_s": 30}, {"Idempotency-Key": "a-trial"}
    async with _few(database, monkeypatch, 1) as admin:
        await admin.post("/admin/handler/register", CALLED, headers=bearing(BOSS))
        trial = asyncio.create_task(admin.post("/admin/handler/test", asked, headers=bearing(BOSS) | key))

        async def enqueued() -> bool:
            return bool(await value(conn, "SELECT count(*) FROM river_job"))

        await eventually(enqueued, within=5)
        recorded = await admin.get("/admin/audit/list?action=handler.test", headers=bearing(BOSS))
        repeated = await admin.post("/admin/handler/test", asked, headers=bearing(BOSS) | key)
        await conn.execute("UPDATE river_job SET state = 'completed', finalized_at = now()")
        ended = await trial

    assert [entry["target"] for entry in recorded.json["data"]] == ["handler:call"]
    assert (ended.status, ended.json["state"]) == (200, "completed")
    assert (repeated.status, repeated.headers["Idempotency-Replayed"]) == (202, "true")
    assert repeated.json["job_id"] == ended.json["job_id"]
    assert await value(conn, "SELECT count(*) FROM river_job") == 1


@pytest.mark.parametrize("queues", [[], ["mail"]], ids=["all queues", "some queues"])
@pytest.mark.parametrize("keyed", [False, True], ids=["without a key", "with a key"])
async def test_every_change_needs_one_connection(
    database: str, conn: AsyncConnection[TupleRow], monkeypatch: pytest.MonkeyPatch, queues: list[str], *, keyed: bool
) -> None:
    async with _few(database, monkeypatch, 1) as admin:
        await admin.post("/admin/handler/register", CALLED, headers=bearing(BOSS))
        bearer = bearing((await make_token(admin, "admin", queues=queues))["token"])

        def headers(number: int) -> Mapping[str, str]:
            return bearer | ORIGIN | ({"Idempotency-Key": f"key-{number}"} if keyed else {})

        sent = CHANGES if queues else OF_ALL_QUEUES + CHANGES
        for number, (method, path, body) in enumerate(sent):
            answer = await admin.request(method, path, json=body, headers=headers(number))

            assert answer.status < 300, (path, answer.text)
        for number, (path, fields) in enumerate(FORMS, len(sent)):
            answer = await admin.request("POST", f"/admin/form/{path}", data=fields, headers=headers(number))

            assert answer.status == 303, (path, answer.text)

    recorded = await value(conn, "SELECT count(*) FROM riverrun_audit WHERE action <> 'queue.enqueue'")
    prepared, enqueued = 2, 3
    assert recorded == prepared + len(sent) + len(FORMS) - enqueued
