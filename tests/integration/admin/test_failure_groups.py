"""A group of failures: named by a filter of its own, however many jobs it has, and acted on in the background."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.access import TOKEN_ROLES, Role
from riverrun.store.failures import LOOKED_AT
from support.admin import Admin, running_admin
from support.eventually import eventually
from support.jobs import insert
from support.queries import value
from support.tokens import bearing, make_token

Connection = AsyncConnection[TupleRow]

FAILED = """
INSERT INTO river_job (state, kind, queue, args, max_attempts, finalized_at, errors)
SELECT
    %(state)s::text::river_job_state, %(kind)s, %(queue)s, '{}', 25,
    CASE WHEN %(state)s = 'discarded' THEN now() - number * interval '1 second' END,
    ARRAY[
        '{"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": "what happened before", "trace": ""}',
        jsonb_build_object('at', '2026-01-02T00:00:00Z', 'attempt', 2, 'error', format(%(error)s, number))
    ]::jsonb[]
FROM generate_series(1, %(jobs)s) AS made (number)
"""
TIMEOUT = "TimeoutError: order %s took 30 s\nand more, which is another thing each time: %1$s"


async def fail(
    conn: Connection, jobs: int, error: str, *, kind: str = "order", queue: str = "default", state: str = "discarded"
) -> None:
    await conn.execute(FAILED, {"jobs": jobs, "error": error, "kind": kind, "queue": queue, "state": state})


async def groups(admin: Admin, headers: Any = None) -> dict[str, dict[str, Any]]:
    """Return the groups by their messages; of two kinds that say the same, the one that has more jobs."""
    listed = (await admin.get("/admin/error/list", headers=headers)).json["data"]
    return {each["message"]: each for each in sorted(listed, key=lambda each: each["discarded"])}


async def done(conn: Connection) -> bool:
    return bool(await value(conn, "SELECT bool_and(state = 'done') FROM riverrun_bulk"))


async def left(conn: Connection) -> dict[tuple[str, str], int]:
    """Return how many jobs there are by kind and state."""
    rows = await conn.execute("SELECT kind, state::text, count(*) FROM river_job GROUP BY 1, 2")
    return {(kind, state): jobs for kind, state, jobs in await rows.fetchall()}


async def test_every_job_of_a_group_is_reached_and_no_other(admin: Admin, conn: Connection) -> None:
    many = LOOKED_AT + 1_200
    await fail(conn, many, TIMEOUT)
    await fail(conn, 30, TIMEOUT, state="retryable")
    await fail(conn, 5, TIMEOUT, kind="refund")
    await fail(conn, 5, "TimeoutError: order took 30 s")
    await insert(conn, kind="order")

    group = (await groups(admin))["TimeoutError: order # took # s"]
    trial = await admin.post("/admin/queue/bulk", {"action": "delete", "filter": group["filter"], "dry_run": True})
    listed = await admin.get("/admin/queue/jobs", params={"filter": group["filter"], "limit": 200})
    begun = await admin.post("/admin/queue/bulk", {"action": "retry", "filter": group["filter"]})
    await eventually(lambda: done(conn), within=20)

    assert group["task_type"] == "order"
    assert (len(group["job_ids"]), group["discarded"] + group["retryable"]) == (1_000, LOOKED_AT + 20)
    assert trial.json["count"] == {"value": many + 30, "relation": "eq"}
    assert len(listed.json["data"]) == 200
    assert begun.status == 202
    assert await left(conn) == {
        ("order", "available"): many + 31,
        ("order", "discarded"): 5,
        ("refund", "discarded"): 5,
    }


@pytest.mark.parametrize(
    "error",
    [
        "",
        "Ü: nicht 5 % von “3”\tübrig",
        "a" * 500,
        "id 0xDEADbeef, 123e4567-e89b-12d3-a456-426614174000",
        "\nsecond line",
    ],
)
async def test_whatever_is_said_the_group_is_found_again(admin: Admin, conn: Connection, error: str) -> None:
    await fail(conn, 2, error.replace("%", "%%"), kind="Say what?")
    await fail(conn, 2, "something else", kind="Say what?")

    group = next(each for each in (await groups(admin)).values() if each["message"] != "something else")
    found = await admin.get("/admin/queue/jobs", params={"filter": group["filter"]})

    assert sorted(job["job_id"] for job in found.json["data"]) == sorted(group["job_ids"])
    assert len(group["job_ids"]) == 2


async def test_a_failure_that_says_nothing_is_a_group_as_well(admin: Admin, conn: Connection) -> None:
    await fail(conn, 1, "x")
    await conn.execute("""UPDATE river_job SET errors = ARRAY['{"attempt": 1}']::jsonb[]""")
    await fail(conn, 1, "something else")

    page = await admin.page("/admin/error/list")
    group = (await groups(admin))[""]
    found = await admin.get("/admin/queue/jobs", params={"filter": group["filter"]})

    assert "(no message)" in page.text
    assert [job["job_id"] for job in found.json["data"]] == group["job_ids"]


async def test_the_page_says_what_will_be_touched_before_it_is(admin: Admin, conn: Connection) -> None:
    await fail(conn, LOOKED_AT + 1, TIMEOUT)

    shown = await admin.page("/admin/error/list")
    ways = [html.unescape(each) for each in re.findall(r'href="\.\./(page/bulk\?[^"]*)"', shown.text)]
    asked = await admin.page(f"/admin/{ways[0]}")
    line = re.search(r'name="filter" value="([^"]*)"', asked.text)
    assert line is not None
    form = {"action": "retry", "filter": html.unescape(line[1]), "shown": "1001", "sure": "1001"}
    begun = await admin.request("POST", "/admin/form/bulk/begin", data=form, headers={"Accept": "text/html"})
    await eventually(lambda: done(conn), within=20)

    assert "counted here or not" in shown.text
    assert len(ways) == 2
    assert "1,001 jobs match." in asked.text
    assert "Failed jobs of the kind order whose last error says" in asked.text
    assert "TimeoutError: order # took # s" in asked.text
    assert re.fullmatch(r"\.\./\.\./queue/bulk/\d+\?notice=bulk_begun", begun.headers["Location"])
    assert await left(conn) == {("order", "available"): LOOKED_AT + 1}


async def test_a_message_is_masked_where_it_is_asked_about(database: str, conn: Connection) -> None:
    await fail(conn, 1, "no card of Ms Smith was taken")

    async with running_admin(database, mask_patterns=["M[rs] [A-Z][a-z]+"]) as admin:
        group = next(iter((await groups(admin)).values()))
        asked = await admin.page(f"/admin/page/bulk?{urlencode({'filter': group['filter']})}")

    assert group["message"] == "no card of *** was taken"
    assert "no card of *** was taken" in asked.text
    assert "Smith" not in asked.text


async def test_a_token_for_some_queues_reaches_their_part_of_a_group(locked: Admin, conn: Connection) -> None:
    for queue in ("mail", "default"):
        await insert(conn, "river_queue", name=queue, created_at="now", updated_at="now")
        await fail(conn, 3, TIMEOUT, queue=queue)
    headers = bearing((await make_token(locked, "operate", queues=["mail*"]))["token"])

    group = (await groups(locked, headers))["TimeoutError: order # took # s"]
    begun = await locked.post("/admin/queue/bulk", {"action": "delete", "filter": group["filter"]}, headers=headers)
    await eventually(lambda: done(conn), within=10)

    assert (group["discarded"], begun.status) == (3, 202)
    assert await value(conn, "SELECT array_agg(DISTINCT queue) FROM river_job") == ["default"]


@pytest.mark.parametrize("role", TOKEN_ROLES)
async def test_only_who_may_operate_is_led_there(locked: Admin, conn: Connection, role: str) -> None:
    await fail(conn, 1, TIMEOUT)
    headers = bearing((await make_token(locked, role))["token"])

    shown = await locked.page("/admin/error/list", **headers)

    assert ("page/bulk?" in shown.text) is Role(role).allows(Role.OPERATE)
