"""Text of strangers on pages, senders that never finish, very many connections, cursors and bodies made to hurt."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun_admin import __main__ as process
from riverrun_admin import body, connections
from support.admin import Admin, running_admin
from support.eventually import eventually
from support.jobs import ago, insert

Connection = AsyncConnection[TupleRow]

XSS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "javascript:alert(1)",
    "{{7*7}}{% raw %}",
    "<!--<script>",
    "&lt;script&gt;",
    "\u202e<b>",
]
PAGES = ("/admin/queue/dashboard", "/admin/queue/jobs", "/admin/handler/list", "/admin/schedule/list")


@pytest.mark.parametrize("text", XSS)
async def test_text_of_a_stranger_is_text_on_every_page(admin: Admin, conn: Connection, text: str) -> None:
    error = json.dumps({"at": "2030-01-01T00:00:00Z", "attempt": 1, "error": text, "trace": text})
    job_id = await insert(
        conn, kind=text[:100], args=json.dumps({text: text}), state="discarded", finalized_at=ago("1 minute"),
        max_attempts=25, errors=[error], tags=[text], metadata=json.dumps({"output": text, text: 1}),
        attempted_by=[text], queue=text[:100],
    )  # fmt: skip
    await conn.execute("UPDATE river_job SET errors = ARRAY[%s::jsonb]", (error,))

    for path in (*PAGES, f"/admin/queue/jobs/{job_id}"):
        page = await admin.page(path)

        assert page.status == 200, page.text
        harmful = re.findall(
            r"<script(?! type=\"module\" src=\"[^\"<>]*app.js\"><)|<img|<svg/|onerror=alert|onload=alert",
            _without_escapes(page.text),
        )
        assert harmful == [], path
        assert "49{%" not in page.text
        assert not re.search(r'href="\s*javascript:', page.text)


def _without_escapes(html: str) -> str:
    """Return ``html`` without the texts in it: what was escaped there is harmless."""
    return re.sub(r"&lt;[^<]*?&gt;|&#34;[^<]*", "", html)


async def test_a_query_is_text_on_the_page_that_refuses_it(admin: Admin) -> None:
    for text in XSS:
        page = await admin.get(
            "/admin/queue/jobs", params={"filter": text, "kind": text}, headers={"Accept": "text/html"}
        )

        assert page.status in (200, 422)
        assert "<script>" not in page.text
        assert "<img" not in page.text


async def test_a_sender_that_never_finishes_keeps_nobody_out(admin: Admin) -> None:
    port = int(admin.url.rpartition(":")[2])
    slow = []
    for _ in range(50):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /admin/queue/pause HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
        slow.append(writer)

    answers = await asyncio.gather(*(admin.get("/admin/queue/stats") for _ in range(20)))

    assert {answer.status for answer in answers} == {200}
    for writer in slow:
        writer.close()


async def test_a_body_that_does_not_come_to_its_end_is_given_up(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_SECONDS", 0.2)
    port = int(admin.url.rpartition(":")[2])

    async with asyncio.timeout(10):
        for path in ("/admin/login", "/admin/queue/enqueue", "/admin/form/queue/pause"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            kind = b"application/json" if path.endswith("enqueue") else b"application/x-www-form-urlencoded"
            writer.write(
                b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: %b\r\nContent-Length: 99\r\n\r\n{"
                % (path.encode(), kind)
            )
            answer = await reader.readuntil(b"\r\n")
            writer.close()

            assert answer.startswith(b"HTTP/1.1 408 "), path


@pytest.mark.parametrize(
    "sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: a"], ids=["nothing", "half"]
)
async def test_a_connection_without_a_whole_request_is_closed(
    database: str, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(process, "IDLE_SECONDS", 0.5)
    async with running_admin(database) as admin:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(admin.url.rpartition(":")[2]))
        writer.write(sent)

        async with asyncio.timeout(10):
            said = await _rest(reader)
        writer.close()

    assert said == b""


async def test_a_sender_that_leaves_in_the_middle_is_no_failure(admin: Admin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    _, writer = await asyncio.open_connection("127.0.0.1", int(admin.url.rpartition(":")[2]))
    writer.write(
        b"POST /admin/queue/enqueue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 99\r\n\r\n{"
    )
    await writer.drain()
    await admin.get("/healthz")  # by now the request is being read

    writer.transport.abort()
    await eventually(lambda: [each for each in caplog.records if each.msg == "request_answered"], within=5)

    assert [getattr(each, "status", 0) for each in caplog.records if each.msg == "request_answered"] == [408]
    assert "request_failed" not in [each.msg for each in caplog.records]


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
async def test_a_body_that_is_not_encoded_as_its_header_says_is_no_failure_of_ours(
    admin: Admin, caplog: pytest.LogCaptureFixture, content_type: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(admin.url.rpartition(":")[2]))
    head = f"POST /admin/queue/enqueue_many HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"

    writer.write(head.encode() + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}")
    async with asyncio.timeout(5):
        said = await _rest(reader)
    writer.close()

    assert said.startswith(b"HTTP/1.1 400")
    assert b"cannot be decoded" in said
    assert [each.msg for each in caplog.records if each.levelname == "ERROR"] == []


async def test_one_connection_too_many_is_asked_to_come_back(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    port = int(admin.url.rpartition(":")[2])
    idle = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(20)]

    async with aiohttp.ClientSession() as session, session.get(f"{admin.url}/healthz") as busy:
        refused = (busy.status, busy.headers["Retry-After"], (await busy.json(content_type=None))["status"])
    for writer in idle:
        writer.close()

    async def admitted() -> bool:
        return (await admin.get("/healthz")).status == 200

    assert refused == (503, "5", 503)
    await eventually(admitted, within=10)


async def test_one_that_is_turned_away_and_says_nothing_is_closed(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 0)
    monkeypatch.setattr(connections, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(connections, "MOST_TURNED_AWAY", 5)
    port = int(admin.url.rpartition(":")[2])
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]

    async with asyncio.timeout(10):
        said = [await _rest(reader) for reader, _ in silent]
    for _, writer in silent:
        writer.close()

    assert set(said) == {b""}


def test_one_connection_too_many_is_turned_away_on_the_loop_of_the_daemon_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uvloop = pytest.importorskip("uvloop")
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 0)

    async def never(_: web.BaseRequest) -> web.Response:
        raise AssertionError("nobody is let in")

    async def ask() -> bytes:
        entrance = connections.Entrance(web.Server(never))
        server = await asyncio.get_running_loop().create_server(entrance, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(5):
            said = await _rest(reader)
        writer.close()
        server.close()
        return said

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask()).startswith(b"HTTP/1.1 503 ")


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


@pytest.mark.slow
async def test_a_thousand_connections_at_rest_keep_nobody_out(admin: Admin) -> None:
    port = int(admin.url.rpartition(":")[2])
    idle = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(1_000)]

    answer = await admin.get("/admin/queue/stats")

    assert answer.status == 200
    for writer in idle:
        writer.close()


def _cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        _cursor([1, None, 5, "0" * 12]),
        _cursor([]),
        _cursor({"a": 1}),
        _cursor([1, 2, 3, 4, 5]),
        _cursor([10, None, 2**70, "x"]),
        _cursor("';DROP TABLE river_job;--"),
        "A" * 7_000,
        "%F0%28",
        "..",
        "=",
    ],
)
async def test_a_cursor_that_was_made_up_is_refused(admin: Admin, cursor: str) -> None:
    answer = await admin.get("/admin/queue/jobs", params={"cursor": cursor})

    assert (answer.status, answer.json["code"]) == (400, "invalid-cursor")


@pytest.mark.parametrize("path", ["/admin/queue/bulk", "/admin/audit/list"])
@pytest.mark.parametrize("cursor", ["-1", "1.5", "9" * 19, "x", "1;2"])
async def test_a_numbered_cursor_that_was_made_up_is_refused(admin: Admin, path: str, cursor: str) -> None:
    answer = await admin.get(path, params={"cursor": cursor})

    assert (answer.status, answer.json["code"]) == (400, "invalid-cursor")


BOMBS = [
    '"' + "\\" * 1_900,
    '"' * 1_999,
    "a:" * 1_000,
    "a." * 1_000 + ":1",
    "args." + "a." * 900 + "a:1",
    "kind:" + "a," * 900,
    "created:>-" + "9" * 1_900 + "h",
    "created:>" + "1-" * 900,
    "error:" + "(a+)+$" * 300,
    " " * 1_999 + "x",
    ("error:" + '"' + "a" * 30 + "!") * 50,
]


@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
async def test_a_filter_that_is_made_to_take_long_is_answered_at_once(
    admin: Admin, conn: Connection, text: str
) -> None:
    error = json.dumps({"at": "2030-01-01T00:00:00Z", "attempt": 1, "error": "a" * 30_000 + "!", "trace": ""})
    await insert(conn, state="discarded", finalized_at=ago("1 minute"), errors=[])
    await conn.execute("UPDATE river_job SET errors = ARRAY[%s::jsonb]", (error,))

    async with asyncio.timeout(2):
        listed = await admin.get("/admin/queue/jobs", params={"filter": text})
        shown = await admin.page("/admin/error/list")

    assert listed.status in (200, 422), listed.text
    assert shown.status == 200


BODIES = [
    (b"[" * 100_000, 413),
    (b"[" * 1_000, 400),
    (b'{"a":' * 1_000, 400),
    (b'{"queue": "' + b"a" * 60_000 + b'"}', 422),
    (b'{"queue": "mail", "queue": "default"}', 400),
    (b'{"queue": NaN}', 400),
    (b"\xff\xfe{}", 400),
    (b"", 400),
    (b"null", 422),
]


@pytest.mark.parametrize(("sent", "status"), BODIES, ids=range(len(BODIES)))
async def test_a_body_made_to_hurt_is_refused(admin: Admin, sent: bytes, status: int) -> None:
    for path in ("/admin/queue/pause", "/admin/queue/bulk/abort", "/admin/token/create"):
        answer = await admin.request("POST", path, data=sent, headers={"Content-Type": "application/json"})

        assert answer.status == status, (path, answer.text)


async def test_a_form_of_another_site_cannot_log_anybody_in(database: str) -> None:
    async with running_admin(database, tokens=["a-token-of-sufficient-length"]) as admin:
        answer = await admin.request(
            "POST",
            "/admin/login",
            data={"token": "a-token-of-sufficient-length"},
            headers={"Origin": "https://evil.example"},
        )

    assert (answer.status, answer.json["code"]) == (403, "cross-site")
    assert "Set-Cookie" not in answer.headers


async def test_a_token_of_strange_bytes_is_one_that_is_not_known(locked: Admin) -> None:
    bearer = await _status_of(locked, b"Authorization: Bearer \xff\xfe\r\n")
    cookie = await _status_of(locked, b"Cookie: riverrun_session=\xff\r\n")

    assert (bearer, cookie) == (401, 401)


async def _status_of(admin: Admin, header: bytes) -> int:
    """Return the status of a list of jobs that is asked for with a header that no library would send."""
    _, _, port = admin.url.rpartition(":")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(b"GET /admin/queue/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + header + b"\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split(b" ")[1])
