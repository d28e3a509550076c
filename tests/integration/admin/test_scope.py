"""A token for some queues: it sees and touches what is theirs, on every route, and finds nothing of the others."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.access import TOKEN_ROLES, Role
from riverrun_admin.roles import MINDS_QUEUES, ROLES
from support.admin import Admin, Answer
from support.eventually import eventually
from support.jobs import ago, insert
from support.queries import value
from support.tokens import BOSS, bearing, make_token, path_of

Connection = AsyncConnection[TupleRow]

CALLBACK = ("POST", "/admin/queue/callback/{job_id}")
"""Services come here with tokens of their own."""

STREAM = "/admin/queue/events"
SHOWN = sorted(path for method, path in MINDS_QUEUES if method == "GET" and path != STREAM)
HIDDEN = "hush"
"""Part of every name that belongs to the queue which the token is not for."""


async def _scoped(admin: Admin, role: str = "admin") -> dict[str, str]:
    return bearing((await make_token(admin, role, queues=["mail*"]))["token"])


async def _enqueue(admin: Admin, queue: str, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
    body = {"task_type": "email", "queue": queue, **fields}
    return await admin.post("/admin/queue/enqueue", body, headers=headers or bearing(BOSS))


async def _fill(admin: Admin, conn: Connection, queue: str, word: str) -> dict[str, int]:
    """Give a queue one of everything that a page may show, each with ``word`` in its name; return their ids."""
    kind = f"{word}-kind"
    error = '{"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": "' + word + ' broke", "trace": ""}'
    failed: dict[str, Any] = {
        "state": "discarded",
        "finalized_at": ago("1 hour"),
        "max_attempts": 1,
        "errors": f"{{{_quoted(error)}}}",
    }
    job_id = await insert(conn, kind=kind, queue=queue, max_attempts=5, tags=[f"{word}-tag"])
    await insert(conn, kind=kind, queue=queue, **failed)
    await insert(conn, "river_queue", name=queue, created_at=ago("1 day"), updated_at=ago("1 day"))
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    await insert(conn, "riverrun_minute", minute=minute, queue=queue, kind=kind, completed=1)
    handler = {"task_type": kind, "handler_name": kind, "handler_type": "local"}
    schedule = {"name": f"{word}-nightly", "task_type": kind, "every_s": 86_400, "queue": queue}
    for path, body in (("handler/register", handler), ("schedule/create", schedule)):
        made = await admin.post(f"/admin/{path}", body, headers=bearing(BOSS))
        assert made.status == 201, made.text
    bulk = {"action": "snooze", "delay_s": 3600, "filter": f"queue:{queue} kind:{kind} tag:{word}-tag"}
    begun = await admin.post("/admin/queue/bulk", bulk, headers=bearing(BOSS))
    return {"job_id": job_id, "bulk_id": begun.json["bulk_id"]}


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


@pytest.mark.parametrize("role", TOKEN_ROLES)
async def test_no_route_is_open_to_a_token_for_some_queues_but_those_that_keep_to_them(
    locked: Admin, role: str
) -> None:
    headers = await _scoped(locked, role)

    for method, template in sorted(ROLES.keys() - {CALLBACK}):
        answer = await locked.request(method, path_of(template), headers=headers)

        needed = ROLES[method, template]
        minds = needed is Role.PUBLIC or (method, template) in MINDS_QUEUES
        assert (answer.status != 403) is (minds and Role(role).allows(needed)), (method, template, answer.status)


async def test_nothing_of_another_queue_is_shown_anywhere(locked: Admin, conn: Connection) -> None:
    theirs = await _fill(locked, conn, "mail", "seen")
    others = await _fill(locked, conn, "hushed", HIDDEN)
    headers = await _scoped(locked)

    for template in SHOWN:
        for accepted in ("application/json", "text/html"):
            for ids in (theirs, others):
                names = {name: str(number) for name, number in ids.items()}
                query = f"?name={'hushed' if ids is others else 'mail'}" if template == "/admin/page/queue" else ""
                path = path_of(template, **names) + query
                answer = await locked.get(path, headers={**headers, "Accept": accepted})

                # A refusal says what was asked for; that there is such a queue it does not say.
                assert HIDDEN not in answer.text or answer.status == 404, (path, accepted)
                assert answer.status != 500, (path, accepted)


async def test_what_is_theirs_is_shown_where_it_belongs(locked: Admin, conn: Connection) -> None:
    await _fill(locked, conn, "mail", "seen")
    await _fill(locked, conn, "hushed", HIDDEN)
    headers = await _scoped(locked, "read")

    async def data(path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await locked.get(f"/admin/{path}", headers=headers)).json["data"]
        return found

    statistics = (await locked.get("/admin/queue/stats", headers=headers)).json

    assert [queue["name"] for queue in await data("queue/list")] == ["mail"]
    assert [queue["name"] for queue in statistics["queues"]] == ["mail"]
    assert {state: count["value"] for state, count in statistics["states"].items() if count["value"]} == {
        "discarded": 1,
        "scheduled": 1,
    }
    assert [handler["task_type"] for handler in await data("handler/list")] == ["seen-kind"]
    assert [schedule["name"] for schedule in await data("schedule/list")] == ["seen-nightly"]
    assert [failure["task_type"] for failure in await data("error/list")] == ["seen-kind"]
    assert len(await data("queue/bulk")) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/admin/queue/clear", {"queue": "hushed"}),
        ("POST", "/admin/queue/drain", {"queue": "hushed"}),
        ("POST", "/admin/queue/scale", {"queue": "hushed", "max_workers": 1}),
        ("POST", "/admin/queue/bulk", {"action": "delete", "filter": "queue:hushed"}),
        ("POST", "/admin/queue/bulk", {"action": "move", "filter": "queue:mail", "queue": "hushed"}),
        ("POST", "/admin/queue/bulk/abort", {"bulk_id": None}),
        ("POST", "/admin/handler/test", {"task_type": "hush-kind", "queue": "hushed"}),
        ("POST", "/admin/schedule/create", {"name": "new", "task_type": "ab", "every_s": 60, "queue": "hushed"}),
        ("PUT", "/admin/schedule/update", {"name": "hush-nightly", "task_type": "ab", "every_s": 60, "queue": "mail"}),
        (
            "PUT",
            "/admin/schedule/update",
            {"name": "seen-nightly", "task_type": "ab", "every_s": 60, "queue": "hushed"},
        ),
        ("DELETE", "/admin/schedule/delete?name=hush-nightly", None),
        ("POST", "/admin/schedule/pause", {"name": "hush-nightly"}),
        ("POST", "/admin/schedule/resume", {"name": "hush-nightly"}),
        ("POST", "/admin/schedule/run", {"name": "hush-nightly"}),
    ],
)
async def test_nothing_of_another_queue_is_touched(
    locked: Admin, conn: Connection, method: str, path: str, body: dict[str, Any] | None
) -> None:
    await _fill(locked, conn, "mail", "seen")
    others = await _fill(locked, conn, "hushed", HIDDEN)
    headers = await _scoped(locked)
    recorded = await value(conn, "SELECT count(*) FROM riverrun_audit")

    said = body and {name: others[name] if each is None else each for name, each in body.items()}
    answer = await locked.request(method, path, json=said, headers=headers)

    assert answer.status in (403, 404), answer.text
    assert await value(conn, "SELECT count(*) FROM riverrun_audit") == recorded


async def test_an_operation_on_a_filter_without_queues_keeps_to_theirs(locked: Admin, conn: Connection) -> None:
    ids = {queue: (await _enqueue(locked, queue)).json["job_id"] for queue in ("default", "mail")}
    headers = await _scoped(locked, "operate")

    begun = await locked.post("/admin/queue/bulk", {"action": "delete", "filter": "kind:email"}, headers=headers)
    path = begun.headers["Location"]

    async def finished() -> bool:
        return (await locked.get(path, headers=headers)).json["finished_at"] is not None

    await eventually(finished, within=10)
    left = await value(conn, "SELECT array_agg(id) FROM river_job")
    listed = (await locked.get("/admin/queue/bulk", headers=headers)).json["data"]
    assert (begun.status, left) == (202, [ids["default"]])
    assert [bulk["bulk_id"] for bulk in listed] == [begun.json["bulk_id"]], "though its queue has no job any more"


async def test_jobs_of_other_queues_are_as_if_they_were_not_there(locked: Admin) -> None:
    headers = await _scoped(locked, "operate")
    ids = {queue: (await _enqueue(locked, queue)).json["job_id"] for queue in ("default", "mail", "mail_slow")}

    listed = await locked.get("/admin/queue/jobs", headers=headers)
    asked = await locked.get("/admin/queue/jobs?queue=default", headers=headers)
    seen = await locked.get(f"/admin/queue/jobs/{ids['default']}", headers=headers)
    cancelled = await locked.post("/admin/queue/cancel", {"job_ids": list(ids.values())}, headers=headers)
    refused, taken = await _enqueue(locked, "default", headers), await _enqueue(locked, "mail", headers)
    paused = await locked.post("/admin/queue/pause", {"queue": "default"}, headers=headers)
    everything = await locked.post("/admin/queue/pause", {"queue": "*"}, headers=headers)

    assert {job["queue"] for job in listed.json["data"]} == {"mail", "mail_slow"}
    assert asked.json["data"] == []
    assert seen.status == 404
    assert [result["ok"] for result in cancelled.json["results"]] == [False, True, True]
    assert [answer.status for answer in (refused, taken, paused, everything)] == [403, 201, 403, 403]


async def test_a_stream_tells_of_their_queues_alone(locked: Admin) -> None:
    headers = await _scoped(locked, "read")
    hidden = (await _enqueue(locked, "default")).json["job_id"]
    await _enqueue(locked, "mail")

    refused = [
        (await locked.get(f"{STREAM}?topics={topic}", headers=headers)).status
        for topic in ("queue:default", f"job:{hidden}", "bulk:1")
    ]
    url = f"{locked.url}{STREAM}?topics=overview,queue:mail"
    async with locked.session.get(url, headers=headers) as response, asyncio.timeout(10):
        told = await _until(response.content, b"event: overview")

    assert refused == [403, 404, 404]
    assert b'"topic":"overview"' in told
    assert b'"default"' not in told


async def test_a_stream_of_operations_tells_of_those_on_their_queues_alone(locked: Admin, conn: Connection) -> None:
    headers = await _scoped(locked, "read")
    endless = {"action": "retry", "actor": "boss", "first_id": 1, "last_id": 10**15, "position": 0}
    for queue in ("mail", "default"):
        wanted = f'{{"states": [], "queues": ["{queue}"], "kinds": ["nothing_yet"]}}'
        await insert(conn, "riverrun_bulk", **endless, filter=f"queue:{queue} kind:nothing_yet", wanted=wanted)

    async with (
        locked.session.get(f"{locked.url}{STREAM}?topics=bulk", headers=headers) as response,
        asyncio.timeout(10),
    ):
        told = await _until(response.content, b"event: bulk")
    async with locked.session.get(f"{locked.url}{STREAM}?topics=bulk", headers=bearing(BOSS)) as response:
        async with asyncio.timeout(10):
            told_to_all = await _until(response.content, b"event: bulk")

    assert b'"topic":"bulk","newest_id":1,' in told
    assert b"queue:mail" in told
    assert b"default" not in told
    assert b"queue:default" in told_to_all


async def _until(stream: aiohttp.StreamReader, wanted: bytes) -> bytes:
    while wanted not in (block := await stream.readuntil(b"\n\n")):
        pass
    return block


async def test_the_settings_are_shown_to_who_may_change_everything(locked: Admin) -> None:
    shown = {
        role: "postgresql.min_conns" in (await locked.page("/admin/page/settings", **headers)).text
        for role, headers in {
            "boss": bearing(BOSS),
            "scoped": await _scoped(locked),
            "operate": bearing((await make_token(locked, "operate"))["token"]),
            "read": bearing((await make_token(locked, "read"))["token"]),
        }.items()
    }

    assert shown == {"boss": True, "scoped": False, "operate": False, "read": False}
