"""Jobs and logs as files: complete, masked, safe to open in a spreadsheet, and never held whole."""

from __future__ import annotations

import csv
import io
import json
import resource
from typing import Any

import aiohttp
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from riverrun.access import TOKEN_ROLES, Role
from riverrun.errors import DatabaseUnavailable
from riverrun_admin import exporting
from riverrun_admin.reading import read_page
from support.admin import Admin, Answer
from support.jobs import ago, insert
from support.tokens import bearing, make_token

Connection = AsyncConnection[TupleRow]


def rows(answer: Answer) -> list[dict[str, str]]:
    assert answer.status == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"), newline="")))


def lines(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def seed(conn: Connection, jobs: int, **columns: Any) -> None:
    await conn.execute(
        "INSERT INTO river_job (kind, args, queue, max_attempts) SELECT %s, %s, %s, 25 FROM generate_series(1, %s)",
        (columns.get("kind", "email"), Jsonb(columns.get("args", {})), columns.get("queue", "default"), jobs),
    )


async def test_every_job_of_a_filter_is_in_the_file_once_however_many_pages_that_takes(
    admin: Admin, conn: Connection
) -> None:
    await seed(conn, 2 * exporting.ROWS + 3)
    await seed(conn, 5, kind="report")

    as_csv = rows(await admin.get("/admin/queue/jobs.csv?filter=kind:email"))
    as_ndjson = lines(await admin.get("/admin/queue/jobs.ndjson?kind=email&order=oldest"))

    assert len({row["job_id"] for row in as_csv}) == len(as_csv) == 2 * exporting.ROWS + 3
    ids = [job["job_id"] for job in as_ndjson]
    assert ids == sorted(ids)
    assert {str(job_id) for job_id in ids} == {row["job_id"] for row in as_csv}


async def test_a_file_says_what_the_list_says_and_has_arguments_whole(admin: Admin, conn: Connection) -> None:
    error = {"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": 'broke, "so"\nto say', "trace": ""}
    await conn.execute(
        "INSERT INTO river_job (kind, args, tags, errors, state, finalized_at, max_attempts, attempt)"
        " VALUES ('email', %s, '{red-tag,vip}', ARRAY[%s], 'discarded', now(), 3, 1)",
        ('{"n": 123456789012345678901234567890.10, "long": "' + "x" * 20_000 + '", "中文": "值"}', Jsonb(error)),
    )

    listed = (await admin.get("/admin/queue/jobs")).json["data"][0]
    answer = await admin.get("/admin/queue/jobs.csv")
    (row,) = rows(answer)
    text = (await admin.get("/admin/queue/jobs.ndjson")).text
    (line,) = text.splitlines()

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="riverrun-jobs.csv"'
    assert list(row) == list(exporting.COLUMNS)
    assert row["last_error"] == 'broke, "so"\nto say'
    assert (row["tags"], row["errors"], row["state"]) == ("red-tag vip", "1", "discarded")
    assert '"n": 123456789012345678901234567890.10' in row["task_params"]
    assert '"中文": "值"' in row["task_params"]
    assert '"n": 123456789012345678901234567890.10' in line
    assert listed["task_params"] is None
    assert {**json.loads(line), "task_params": None} == listed


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
async def test_no_cell_is_a_formula(admin: Admin, conn: Connection, text: str) -> None:
    error = {"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": text, "trace": ""}
    await conn.execute(
        "INSERT INTO river_job (kind, args, errors, tags, state, finalized_at, max_attempts)"
        " VALUES (%s, '{}', ARRAY[%s], %s, 'discarded', now(), 1)",
        (text, Jsonb(error), [text]),
    )

    (row,) = rows(await admin.get("/admin/queue/jobs.csv"))

    assert (row["task_type"], row["tags"], row["last_error"]) == (f"'{text}", f"'{text}", f"'{text}")


async def test_what_is_hidden_stays_hidden(admin: Admin, conn: Connection) -> None:
    await seed(conn, 1, args={"password": "hunter2", "n": 1})

    for path in ("/admin/queue/jobs.csv", "/admin/queue/jobs.ndjson"):
        text = (await admin.get(path)).text
        assert "hunter2" not in text
        assert "***" in text


async def test_an_empty_file_has_its_columns(admin: Admin) -> None:
    answer = await admin.get("/admin/queue/jobs.csv?filter=kind:none")

    assert answer.body == b"\xef\xbb\xbf" + ",".join(exporting.COLUMNS).encode() + b"\r\n"
    assert (await admin.get("/admin/queue/jobs.ndjson?filter=kind:none")).body == b""
    assert (await admin.request("HEAD", "/admin/queue/jobs.csv")).status == 200


@pytest.mark.parametrize("query", ["filter=colour:red", "state=dead", "limit=3", "cursor=x", "colour=red", "order=up"])
@pytest.mark.parametrize("path", ["/admin/queue/jobs.csv", "/admin/queue/jobs.ndjson"])
async def test_what_cannot_be_asked_for_is_a_problem_and_no_file(admin: Admin, path: str, query: str) -> None:
    answer = await admin.get(f"{path}?{query}")

    assert (answer.status, answer.json["code"]) == (422, "validation")


async def test_a_file_is_made_in_constant_memory(admin: Admin, conn: Connection) -> None:
    # 320 MiB of arguments; a few jobs at a time, in the several forms that they pass through, need much less.
    await conn.execute(
        "INSERT INTO river_job (kind, args, max_attempts)"
        " SELECT 'email', jsonb_build_object('x', repeat('y', 500000)), 25 FROM generate_series(1, 640)"
    )
    await admin.get("/admin/queue/jobs.ndjson?filter=kind:none")
    before, received = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0

    async with admin.session.get(admin.url + "/admin/queue/jobs.ndjson") as response:
        async for piece in response.content.iter_chunked(1 << 20):
            received += len(piece)

    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert received > 320_000_000
    assert grown < 160


async def test_a_file_that_cannot_be_ended_is_seen_to_be_cut_off(
    admin: Admin, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed(conn, exporting.ROWS + 1)
    asked = 0

    async def lost_at_the_second(*args: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise DatabaseUnavailable("the connection was lost")
        return await read_page(*args, **options)

    monkeypatch.setattr("riverrun_admin.exporting.read_page", lost_at_the_second)

    with pytest.raises(aiohttp.ClientError):
        await admin.get("/admin/queue/jobs.csv")
    assert (await admin.get("/healthz")).status == 200


async def test_a_log_is_handed_out_whole_or_for_one_attempt(admin: Admin, conn: Connection) -> None:
    kept = {"river:log": [{"attempt": 1, "log": "a <b>\n"}, {"attempt": 2, "log": "中文\n"}, "odd", {"attempt": "x"}]}
    job_id = await insert(conn, metadata=json.dumps(kept), max_attempts=25)
    silent = await insert(conn, max_attempts=25)

    whole = await admin.get(f"/admin/queue/jobs/{job_id}/log")
    second = await admin.get(f"/admin/queue/jobs/{job_id}/log?attempt=2")

    assert whole.text == "--- attempt 1 ---\na <b>\n\n--- attempt 2 ---\n中文\n"
    assert whole.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert whole.headers["Content-Disposition"] == f'attachment; filename="riverrun-job-{job_id}.log"'
    assert second.text == "中文\n"
    assert (await admin.get(f"/admin/queue/jobs/{silent}/log")).body == b""
    assert (await admin.get("/admin/queue/jobs/12345/log")).status == 404
    for wrong in ("attempt=x", "attempt=0", "attempt=123456", "colour=red"):
        assert (await admin.get(f"/admin/queue/jobs/{job_id}/log?{wrong}")).status == 422, wrong


@pytest.mark.parametrize("role", TOKEN_ROLES)
async def test_files_are_for_those_who_may_look_and_keep_to_their_queues(
    locked: Admin, conn: Connection, role: str
) -> None:
    await insert(conn, "river_queue", name="mail", created_at=ago("1 day"), updated_at=ago("1 day"))
    own, other = [await insert(conn, queue=queue, max_attempts=25) for queue in ("mail", "default")]
    everywhere = bearing((await make_token(locked, role))["token"])
    scoped = bearing((await make_token(locked, role, queues=["mail*"]))["token"])
    may = Role(role).allows(Role.READ)

    for path in ("/admin/queue/jobs.csv", "/admin/queue/jobs.ndjson", f"/admin/queue/jobs/{other}/log"):
        assert (await locked.get(path, headers=everywhere)).status == (200 if may else 403), path
        assert (await locked.get(path)).status == 401
    if may:
        assert [row["job_id"] for row in rows(await locked.get("/admin/queue/jobs.csv", headers=scoped))] == [str(own)]
        assert [job["job_id"] for job in lines(await locked.get("/admin/queue/jobs.ndjson", headers=scoped))] == [own]
        assert (await locked.get(f"/admin/queue/jobs/{other}/log", headers=scoped)).status == 404
