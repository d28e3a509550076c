"""Every door of the API refuses what is not allowed, with a pointer and a sentence, and changes nothing."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from support.admin import Admin
from support.queries import value

JSON = {"Content-Type": "application/json"}
BODIES = [
    ("POST", "/admin/queue/enqueue"),
    ("POST", "/admin/queue/enqueue_many"),
    ("POST", "/admin/queue/cancel"),
    ("POST", "/admin/queue/retry"),
    ("POST", "/admin/queue/delete"),
    ("POST", "/admin/queue/pause"),
    ("POST", "/admin/queue/resume"),
    ("POST", "/admin/queue/scale"),
    ("PUT", "/admin/queue/metadata"),
    ("POST", "/admin/handler/register"),
    ("PUT", "/admin/handler/update"),
    ("DELETE", "/admin/handler/delete"),
    ("POST", "/admin/schedule/create"),
    ("PUT", "/admin/schedule/update"),
    ("POST", "/admin/schedule/pause"),
    ("POST", "/admin/schedule/resume"),
    ("POST", "/admin/schedule/run"),
]
RAW = [
    ("not JSON", b"{", 400),
    ("empty", b"", 400),
    ("not UTF-8", b'{"a": "\xff"}', 400),
    ("not an object", b"[1]", 422),
    ("NaN", b'{"a": NaN}', 400),
    ("Infinity", b'{"a": -Infinity}', 400),
    ("two equal names", b'{"a": 1, "a": 2}', 400),
    ("too deep", b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", 400),
    ("very deep", b"[" * 60_000, 400),
    ("unknown field", b'{"nonsense": 1}', 422),
    ("a number of 5,000 digits", b'{"job_id": ' + b"9" * 5000 + b"}", 422),
]


@pytest.mark.parametrize(("method", "path"), BODIES)
async def test_no_body_makes_an_endpoint_fail(
    admin: Admin, conn: AsyncConnection[TupleRow], method: str, path: str
) -> None:
    for name, body, status in RAW:
        if not body and method == "DELETE":
            continue
        answer = await admin.request(method, path, data=body, headers=JSON)

        assert answer.status == status, (name, answer.text)
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert {"type", "title", "status", "detail", "instance", "code"} <= answer.json.keys()

    wrong_type = await admin.request(method, path, data=b"{}", headers={"Content-Type": "text/plain"})
    too_large = await admin.request(method, path, data=io.BytesIO(b" " * (17 * 1024 * 1024)), headers=JSON)

    assert (wrong_type.status, wrong_type.json["code"]) == (415, "unsupported-media-type")
    assert (too_large.status, too_large.json["code"]) == (413, "payload-too-large")
    assert await value(conn, "SELECT count(*) FROM river_job") == 0
    assert await value(conn, "SELECT count(*) FROM riverrun_handler") == 0


LONG: list[tuple[str, str]] = [
    ("/admin/login", "application/x-www-form-urlencoded"),
    ("/admin/logout", "application/x-www-form-urlencoded"),
    ("/admin/queue/pause", "application/json"),
    ("/admin/queue/enqueue", "application/json"),
    ("/admin/form/queue/pause", "application/x-www-form-urlencoded"),
]


@pytest.mark.parametrize(("path", "content_type"), LONG, ids=[path for path, _ in LONG])
async def test_of_a_body_no_more_is_read_than_its_route_may_take(admin: Admin, path: str, content_type: str) -> None:
    async def ten_million_bytes_and_no_end() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b"x" * 64 * 1024
        await asyncio.Event().wait()

    headers = {"Content-Type": content_type, "Idempotency-Key": "long", "Sec-Fetch-Site": "same-origin"}
    sent = admin.request("POST", path, data=ten_million_bytes_and_no_end(), headers=headers)
    answer = await asyncio.wait_for(sent, 20)

    assert (answer.status, answer.json["code"]) == (413, "payload-too-large")


HUGE = 1024 * 1024
ENQUEUE: list[tuple[dict[str, Any], list[str]]] = [
    ({"task_type": ""}, ["/task_type"]),
    ({"task_type": "x" * 128}, ["/task_type"]),
    ({"task_type": "a b"}, ["/task_type"]),
    ({"task_type": None}, ["/task_type"]),
    ({"task_type": 7}, ["/task_type"]),
    ({"task_params": "[]"}, ["/task_params"]),
    ({"task_params": "nope"}, ["/task_params"]),
    ({"task_params": []}, ["/task_params"]),
    ({"task_params": 1}, ["/task_params"]),
    ({"task_params": '{"a": "\\u0000"}'}, ["/task_params"]),
    ({"task_params": {"a": "\0"}}, ["/task_params"]),
    ({"task_params": {"a\0": 1}}, ["/task_params"]),
    ({"task_params": {"a": "\ud800"}}, ["/task_params"]),
    ({"task_params": '{"a": NaN}'}, ["/task_params"]),
    ({"task_params": '{"a": 1e999999}'}, ["/task_params"]),
    ({"task_params": {"a": "x" * HUGE}}, ["/task_params"]),
    ({"priority": 0}, ["/priority"]),
    ({"priority": 10}, ["/priority"]),
    ({"priority": "5"}, ["/priority"]),
    ({"priority": True}, ["/priority"]),
    ({"priority": 1.5}, ["/priority"]),
    ({"queue": ""}, ["/queue"]),
    ({"queue": "A"}, ["/queue"]),
    ({"queue": "q" * 65}, ["/queue"]),
    ({"queue": "q\0"}, ["/queue"]),
    ({"max_attempts": 0}, ["/max_attempts"]),
    ({"max_attempts": 32768}, ["/max_attempts"]),
    ({"timeout_s": -1}, ["/timeout_s"]),
    ({"timeout_s": 0}, ["/timeout_s"]),
    ({"delay_s": -1}, ["/delay_s"]),
    ({"delay_s": 1e300}, ["/delay_s"]),
    ({"delay_s": 1, "scheduled_at": "2030-01-01T00:00:00Z"}, ["/delay_s"]),
    ({"scheduled_at": "2030-01-01T00:00:00"}, ["/scheduled_at"]),
    ({"scheduled_at": "2030-13-01T00:00:00Z"}, ["/scheduled_at"]),
    ({"scheduled_at": "0000-01-01T00:00:00Z"}, ["/scheduled_at"]),
    ({"scheduled_at": 1893456000}, ["/scheduled_at"]),
    ({"tags": ["x"]}, ["/tags"]),
    ({"tags": "tag"}, ["/tags"]),
    ({"metadata": {"river:log": 1}}, ["/metadata/river:log"]),
    ({"metadata": {"riverrun:x": 1}}, ["/metadata/riverrun:x"]),
    ({"metadata": {"a": "\0"}}, ["/metadata"]),
    ({"metadata": [1]}, ["/metadata"]),
    ({"unique": {"by_args": []}}, ["/unique/by_args"]),
    ({"unique": {"by_args": 7}}, ["/unique/by_args"]),
    ({"unique": {"by_state": ["nonsense"]}}, ["/unique/by_state/0"]),
    ({"unique": {"by_period_s": 0.1}}, ["/unique/by_period_s"]),
    ({"unique": {"sometimes": True}}, ["/unique/sometimes"]),
    ({"priorty": 3, "queu": "x"}, ["/priorty", "/queu"]),
    ({"priority": 0, "queue": "A", "tags": [1]}, ["/queue", "/priority", "/tags"]),
]


@pytest.mark.parametrize(("fields", "pointers"), ENQUEUE, ids=lambda case: str(case)[:40])
async def test_an_enqueue_that_is_not_allowed_names_every_field(
    admin: Admin, conn: AsyncConnection[TupleRow], fields: dict[str, Any], pointers: list[str]
) -> None:
    body = json.dumps({"task_type": "email", **fields}).encode()

    answer = await admin.request("POST", "/admin/queue/enqueue", data=io.BytesIO(body), headers=JSON)

    assert (answer.status, answer.pointers) == (422, pointers), answer.text
    for pointer, error in zip(pointers, answer.json["errors"], strict=True):
        assert error["detail"].startswith(pointer.split("/")[1])
    assert len(answer.body) < 5_000
    assert await value(conn, "SELECT count(*) FROM river_job") == 0


async def test_leniency_leaves_out_names_that_are_not_known(admin: Admin) -> None:
    answer = await admin.post(
        "/admin/queue/enqueue?lenient=true", {"task_type": "email", "old": 1, "unique": {"by_args": True, "older": 2}}
    )
    wrong = await admin.post("/admin/queue/enqueue?lenient=true", {"task_type": "email", "old": 1, "priority": 0})

    assert answer.status == 201
    assert wrong.status == 422


ELSEWHERE: list[tuple[str, Any, int]] = [
    ("/admin/queue/cancel", {}, 422),
    ("/admin/queue/cancel", {"job_id": 1, "job_ids": [1]}, 422),
    ("/admin/queue/cancel", {"job_id": 2**63}, 422),
    ("/admin/queue/cancel", {"job_id": "9223372036854775808"}, 422),
    ("/admin/queue/cancel", {"job_id": 0}, 422),
    ("/admin/queue/cancel", {"job_id": 12345}, 404),
    ("/admin/queue/cancel", {"job_id": "12345"}, 404),
    ("/admin/queue/cancel", {"job_ids": []}, 422),
    ("/admin/queue/cancel", {"job_ids": list(range(1, 1002))}, 422),
    ("/admin/queue/retry", {"job_id": 12345}, 404),
    ("/admin/queue/delete", {"job_id": 12345}, 404),
    ("/admin/queue/pause", {"queue": "unknown"}, 404),
    ("/admin/queue/resume", {"queue": "unknown"}, 404),
    ("/admin/queue/pause", {"queue": ""}, 422),
    ("/admin/queue/scale", {"queue": "default"}, 422),
    ("/admin/queue/scale", {"queue": "default", "max_workers": 0}, 422),
    ("/admin/queue/scale", {"queue": "default", "max_workers": 10001}, 422),
    ("/admin/queue/scale", {"queue": "default", "max_workers": 1, "server_id": "a b"}, 422),
    ("/admin/schedule/pause", {"name": "unknown"}, 404),
    ("/admin/schedule/create", {"name": "ab", "task_type": "cd", "cron": "1--100000000 * * * *"}, 422),
    ("/admin/schedule/create", {"name": "ab", "task_type": "cd", "cron": "* * * * *", "every_s": 5}, 422),
    ("/admin/schedule/create", {"name": "ab", "task_type": "cd", "cron": "* * * * *", "timezone": "Mars"}, 422),
    ("/admin/schedule/create", {"name": "ab", "task_type": "cd"}, 422),
]


@pytest.mark.parametrize(("path", "body", "status"), ELSEWHERE, ids=lambda case: str(case)[:40])
async def test_what_does_not_exist_or_is_not_allowed_is_told(
    admin: Admin, path: str, body: dict[str, Any], status: int
) -> None:
    answer = await admin.post(path, body)

    assert answer.status == status, answer.text
    assert answer.json["detail"]


QUERIES = [
    ("/admin/queue/jobs?state=nonsense", 422),
    ("/admin/queue/jobs?priority=0", 422),
    ("/admin/queue/jobs?priority=x", 422),
    ("/admin/queue/jobs?queue=A%20b&kind=%FF&tag=x", 200),
    ("/admin/queue/jobs?queue=%00", 422),
    ("/admin/queue/jobs?kind=a%00b", 422),
    ("/admin/queue/jobs?tag=" + "x" * 256, 422),
    ("/admin/queue/jobs?id=9223372036854775808", 422),
    ("/admin/queue/jobs?created_after=yesterday", 422),
    ("/admin/queue/jobs?limit=0", 422),
    ("/admin/queue/jobs?limit=201", 422),
    ("/admin/queue/jobs?limit=1e1", 422),
    ("/admin/queue/jobs?colour=red", 422),
    ("/admin/queue/jobs?cursor=nonsense", 400),
    ("/admin/queue/jobs?cursor=%00", 400),
    ("/admin/queue/jobs/0", 422),
    ("/admin/queue/jobs/abc", 422),
    ("/admin/queue/jobs/9223372036854775808", 422),
    ("/admin/queue/jobs/12345", 404),
    ("/admin/handler/list?colour=red", 422),
    ("/admin/nothing", 404),
]


@pytest.mark.parametrize(("path", "status"), QUERIES)
async def test_a_query_that_is_not_allowed_is_told(admin: Admin, path: str, status: int) -> None:
    answer = await admin.get(path)
    page = await admin.page(path)

    assert answer.status == status, answer.text
    assert page.status == status
    assert page.headers["Content-Type"].startswith("text/html")


async def test_a_path_without_the_method_names_those_it_has(admin: Admin) -> None:
    answer = await admin.get("/admin/queue/enqueue")

    assert (answer.status, answer.headers["Allow"], answer.json["code"]) == (405, "POST", "method-not-allowed")


async def test_a_reader_of_neither_json_nor_html_gets_406(admin: Admin) -> None:
    answer = await admin.get("/admin/queue/dashboard", headers={"Accept": "text/csv"})

    assert answer.status == 406
