"""POST /admin/queue/enqueue_many with a stream: any number of jobs, all of them or none, in constant memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun_admin import enqueue_stream, stream
from support.admin import Admin, Answer
from support.eventually import eventually
from support.jobs import insert
from support.queries import value

Connection = AsyncConnection[TupleRow]
PATH = "/admin/queue/enqueue_many"
NDJSON = {"Content-Type": "application/x-ndjson"}


async def send(admin: Admin, data: Any, **headers: str) -> Answer:
    return await admin.request("POST", PATH, data=data, headers={**NDJSON, **headers})


def text(*lines: object) -> str:
    """Return lines as a body; what is no string becomes JSON."""
    return "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)


async def in_pieces(*pieces: str) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece.encode()
        await asyncio.sleep(0)


async def jobs(conn: Connection) -> int:
    return int(await value(conn, "SELECT count(*) FROM river_job"))


@pytest.mark.parametrize("offset", ["+23:00", "-23:59"])
async def test_a_time_may_have_any_offset(admin: Admin, conn: Connection, offset: str) -> None:
    job = {"task_type": "email", "scheduled_at": f"2030-01-02T00:00:00{offset}"}

    answers = [
        await send(admin, text(job, job)),
        await admin.post(PATH, {"jobs": [job, job]}),
        await admin.enqueue(scheduled_at=job["scheduled_at"]),
    ]

    assert [answer.status for answer in answers] == [201, 201, 201], [answer.text for answer in answers]
    moments = await (await conn.execute("SELECT DISTINCT scheduled_at FROM river_job")).fetchall()
    assert moments == [(datetime.fromisoformat(job["scheduled_at"]),)]


async def test_each_line_is_a_job_with_all_its_fields(admin: Admin, conn: Connection) -> None:
    await insert(conn, "riverrun_handler", kind="fax", handler_name="fax", handler_type="local", retry_count=2)
    body = text(
        '{"task_type": "email", "task_params": {"n": 1.10, "big": 123456789012345678901234567890}, "queue": "mail"}',
        "",
        {"task_type": "fax", "task_params": '{"to":  "x"}', "delay_s": 60, "tags": ["some-tag"], "priority": 3},
        {"task_type": "fax", "pending": True, "max_attempts": 9, "metadata": {"who": "me"}, "timeout_s": 5},
    )

    answer = await send(admin, body)

    rows = await (
        await conn.execute(
            "SELECT kind, queue, priority, state::text, args::text, max_attempts, tags, metadata - 'who',"
            " scheduled_at - created_at > '59 s'::interval FROM river_job ORDER BY id"
        )
    ).fetchall()
    assert (answer.status, answer.json) == (201, {"jobs": 3, "enqueued": 3, "duplicates": 0})
    assert rows == [
        ("email", "mail", 4, "available", '{"n": 1.10, "big": 123456789012345678901234567890}', 25, [], {}, False),
        ("fax", "default", 3, "scheduled", '{"to": "x"}', 3, ["some-tag"], {}, True),
        ("fax", "default", 1, "pending", "{}", 9, [], {"riverrun:timeout_seconds": 5.0}, False),
    ]


async def test_lines_may_be_cut_anywhere_on_the_way(admin: Admin, conn: Connection) -> None:
    body = text({"task_type": "email", "task_params": {"city": "北京"}}, {"task_type": "fax"}) + "\r\n"
    data = body.encode()

    async def bytewise() -> AsyncIterator[bytes]:
        for place in range(len(data)):
            yield data[place : place + 1]

    answer = await send(admin, bytewise())

    assert answer.json["enqueued"] == 2
    assert await value(conn, "SELECT args ->> 'city' FROM river_job ORDER BY id LIMIT 1") == "北京"


async def test_duplicates_are_counted_and_not_enqueued(admin: Admin, conn: Connection) -> None:
    line = {"task_type": "email", "task_params": {"n": 1}, "unique": {"by_args": True}}

    first = await send(admin, text(line, line, {"task_type": "email"}))
    second = await send(admin, text(line))

    assert first.json == {"jobs": 3, "enqueued": 2, "duplicates": 1}
    assert second.json == {"jobs": 1, "enqueued": 0, "duplicates": 1}
    assert await jobs(conn) == 2


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        ({"task_type": "email", "priority": 10}, "/2503/priority"),
        ({"task_type": "email", "priorty": 1}, "/2503/priorty"),
        ({"task_params": {}}, "/2503/task_type"),
        ({"task_type": "email", "task_params": "[]"}, "/2503/task_params"),
        ({"task_type": "email", "unique": {"by_args": [7]}}, "/2503/unique/by_args/0"),
        ({"task_type": "email", "delay_s": 1, "scheduled_at": "2030-01-01T00:00:00Z"}, "/2503/delay_s"),
        ('{"task_type": "email"', "/2503"),
        ('{"task_type": "email"} {}', "/2503"),
        ('{"task_type": NaN}', "/2503"),
        ("[]", "/2503"),
        ("[" * 5000, "/2503"),
        ('{"task_type": "' + "x" * stream.LONGEST_LINE + '"}', "/2503"),
    ],
)
async def test_the_first_bad_line_is_named_and_nothing_was_changed(
    admin: Admin, conn: Connection, line: object, pointer: str
) -> None:
    good = text({"task_type": "email"}) + "\n"

    answer = await send(admin, in_pieces("\n\n" + good * 2500, text(line), "\n" + good * 1000 + "bad"))

    assert (answer.status, answer.json["code"]) == (422, "validation")
    assert answer.pointers[0] == pointer
    assert await jobs(conn) == 0
    assert (await send(admin, good)).status == 201


@pytest.mark.parametrize("body", ["", "\n \r\n\n"])
async def test_a_stream_without_jobs_is_refused(admin: Admin, body: str) -> None:
    answer = await send(admin, body)

    assert (answer.status, answer.pointers) == (422, [""])


async def test_names_that_are_not_known_may_be_let_through(admin: Admin) -> None:
    answer = await admin.request(
        "POST", f"{PATH}?lenient=true", data=text({"task_type": "email", "more": 1}), headers=NDJSON
    )

    assert answer.status == 201


async def test_a_stream_that_breaks_off_leaves_nothing(admin: Admin, conn: Connection) -> None:
    line = text({"task_type": "email"}) + "\n"
    stuck = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield line.encode() * 3000
        await stuck.wait()

    sending = asyncio.create_task(send(admin, endless()), name="sender")
    copied = "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND datname = current_database()"
    await eventually(lambda: value(conn, copied), within=10)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)

    gone = copied.replace("= 1", "= 0")
    await eventually(lambda: value(conn, gone), within=10)
    assert await jobs(conn) == 0


async def test_a_sender_that_falls_silent_is_given_up(
    admin: Admin, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SILENCE_SECONDS", 0.2)
    stuck = asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        yield text({"task_type": "email"}).encode() + b"\n"
        await stuck.wait()

    answer = await send(admin, silent())

    assert (answer.status, answer.json["code"]) == (408, "request-timeout")
    assert await jobs(conn) == 0


async def test_a_stream_without_end_is_given_up(
    admin: Admin, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enqueue_stream, "LONGEST_SECONDS", 0.5)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield text({"task_type": "email"}).encode() + b"\n"
            await asyncio.sleep(0.01)

    answer = await send(admin, endless())

    assert (answer.status, answer.json["code"]) == (408, "request-timeout")
    assert await jobs(conn) == 0


async def test_only_so_many_streams_are_taken_at_once(admin: Admin, conn: Connection) -> None:
    finish = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield text({"task_type": "email"}).encode() + b"\n"
        await finish.wait()

    sending = [asyncio.create_task(send(admin, slow()), name="sender") for _ in range(enqueue_stream.MOST_STREAMS)]

    taken = (
        f"SELECT count(*) = {enqueue_stream.MOST_STREAMS} FROM pg_stat_activity"
        " WHERE state = 'idle in transaction' AND datname = current_database()"
    )
    await eventually(lambda: value(conn, taken), within=10)
    answer = await send(admin, text({"task_type": "email"}))
    finish.set()

    assert (answer.status, answer.json["code"], answer.headers["Retry-After"]) == (429, "too-many-requests", "5")
    assert [each.status for each in await asyncio.gather(*sending)] == [201] * enqueue_stream.MOST_STREAMS


async def test_a_repeated_stream_gets_the_first_answer(admin: Admin, conn: Connection) -> None:
    body = text({"task_type": "email"}) + "\n"

    first = await send(admin, in_pieces(body * 3000), **{"Idempotency-Key": "import-7"})
    again = await send(admin, in_pieces(body * 1000, body * 2000), **{"Idempotency-Key": "import-7"})
    other = await send(admin, body * 2999, **{"Idempotency-Key": "import-7"})

    assert (first.json["enqueued"], again.json, again.status) == (3000, first.json, 201)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status, other.json["code"]) == (422, "idempotency-mismatch")
    assert await jobs(conn) == 3000


async def test_a_bad_stream_keeps_no_answer(admin: Admin, conn: Connection) -> None:
    bad = await send(admin, text({"task_type": "email"}, "bad"), **{"Idempotency-Key": "import-7"})
    good = await send(admin, text({"task_type": "email"}), **{"Idempotency-Key": "import-7"})

    assert (bad.status, good.status, await jobs(conn)) == (422, 201, 1)


def resident() -> int:
    """Return the memory of this process, which holds sender and server, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_200000_jobs_are_taken_in_constant_memory(admin: Admin, conn: Connection) -> None:
    line = text({"task_type": "email", "task_params": {"text": "x" * 400}}).encode() + b"\n"
    most = 0

    async def lines() -> AsyncIterator[bytes]:
        nonlocal most
        for _ in range(1000):
            yield line * 200
            most = max(most, resident())

    await send(admin, in_pieces(*[line.decode() * 100] * 50))
    before = resident()
    answer = await admin.request("POST", PATH, data=lines(), headers=NDJSON, timeout=aiohttp.ClientTimeout(total=150))

    assert answer.json == {"jobs": 200_000, "enqueued": 200_000, "duplicates": 0}
    assert await jobs(conn) == 205_000
    assert most - before < 32 * 2**20, f"{len(line) * 200_000 >> 20} MiB took {most - before >> 20} MiB more"
