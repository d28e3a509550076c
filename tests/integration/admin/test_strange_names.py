"""Kinds, queues and tags that other clients have made by no rule: pages lead to them, and operations reach them."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from support.admin import Admin, Answer
from support.eventually import eventually
from support.jobs import ago, insert
from support.queries import value

Connection = AsyncConnection[TupleRow]

KIND = 'Send "mail": now, 5 % & more\tü'
QUEUE = "Front desk; #1"
TAG = "red, hot"
PAGES = (
    "queue/dashboard",
    "queue/list",
    "queue/jobs",
    "queue/jobs?state=discarded",
    "error/list",
    "handler/list",
    f"page/queue?{urlencode({'name': QUEUE})}",
)


@pytest.fixture
async def strange(admin: Admin, conn: Connection) -> int:
    """Give the id of a discarded job with such names; another one of them is available."""
    named: dict[str, Any] = {"kind": KIND, "queue": QUEUE, "tags": [TAG]}
    failed = Jsonb({"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": "it broke", "trace": ""})
    await insert(conn, "river_queue", name=QUEUE, created_at=ago("1 day"), updated_at=ago("1 day"))
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    await insert(conn, "riverrun_minute", minute=minute, queue=QUEUE, kind=KIND, completed=1)
    await insert(conn, **named)
    await insert(conn)
    return int(
        await insert(conn, **named, state="discarded", finalized_at=ago("1 minute"), max_attempts=1, errors=[failed])
    )


def links(page: Answer, path: str) -> set[str]:
    """Return where the links of a page lead, below ``/admin/``."""
    found = re.findall(r'href="([^"]*)"', page.text.partition("<main")[2])
    return {urljoin(f"/admin/{path}", html.unescape(each)).removeprefix("/admin/") for each in found}


async def test_every_link_to_them_leads_to_a_page(admin: Admin, strange: int) -> None:
    followed: dict[str, int] = {}
    for path in (*PAGES, f"queue/jobs/{strange}"):
        page = await admin.page(f"/admin/{path}")
        assert page.status == 200, path
        for link in links(page, path) - followed.keys():
            followed[link] = (await admin.page(f"/admin/{link}")).status

    assert {link: status for link, status in followed.items() if status != 200} == {}
    assert sum("desk" in link or "mail" in link or "hot" in link for link in followed) > 5


@pytest.mark.parametrize("query", [{"kind": KIND}, {"queue": QUEUE}, {"tag": TAG}, {"tags_all": TAG}])
async def test_a_list_finds_them(admin: Admin, strange: int, query: dict[str, str]) -> None:
    listed = (await admin.get("/admin/queue/jobs", params=query)).json

    assert len(listed["data"]) == 2
    assert strange in {job["job_id"] for job in listed["data"]}


async def test_an_operation_from_the_list_reaches_them_and_no_other(
    admin: Admin, conn: Connection, strange: int
) -> None:
    query = urlencode({"kind": KIND, "queue": QUEUE, "tag": TAG, "state": "discarded"})
    listed = await admin.page(f"/admin/queue/jobs?{query}")
    (way,) = (each for each in links(listed, "queue/jobs") if each.startswith("page/bulk?action=retry"))

    asked = await admin.page(f"/admin/{way}")
    line = re.search(r'name="filter" value="([^"]*)"', asked.text)
    assert line is not None
    form = {"action": "retry", "filter": html.unescape(line[1])}
    begun = await admin.request("POST", "/admin/form/bulk/begin", data=form)

    async def ended() -> bool:
        return bool(await value(conn, "SELECT bool_and(finished_at IS NOT NULL) FROM riverrun_bulk"))

    await eventually(ended, within=10)
    shown = await admin.page("/admin/queue/bulk/1")
    again = next(each for each in links(shown, "queue/bulk/1") if each.startswith("queue/jobs?filter="))
    assert begun.status == 303
    assert await value(conn, "SELECT changed FROM riverrun_bulk") == 1
    assert await value(conn, f"SELECT state::text FROM river_job WHERE id = {strange}") == "available"
    assert (await admin.page(f"/admin/{again}")).status == 200
