"""What is said about a queue is read and replaced over HTTP, and heard by everybody who works on the queue."""

from __future__ import annotations

import json

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from support.admin import Admin
from support.announced import announcements
from support.jobs import insert

PATH = "/admin/queue/metadata"
DEEP = {"owner": "team-a", "deep": {"n": 2**70}, "text": "ä <b>"}


async def test_what_is_said_about_a_queue_is_replaced_read_and_announced(admin: Admin, database: str) -> None:
    async with announcements(database) as heard:
        made = await admin.request("PUT", PATH, json={"queue": "mail", "metadata": DEEP})
        told = await heard()
    read = await admin.get(f"{PATH}?queue=mail")
    emptied = await admin.request("PUT", PATH, json={"queue": "mail", "metadata": {}})

    assert (made.status, made.json["metadata"]) == (200, DEEP)
    assert read.json == made.json
    assert read.json.keys() == {"name", "metadata", "paused_at", "created_at", "updated_at"}
    escaped = r'{"owner":"team-a","deep":{"n":1180591620717411303424},"text":"ä \u003cb\u003e"}'
    assert told == [("river_control", f'{{"action":"metadata_changed","metadata":{escaped},"queue":"mail"}}')]
    assert emptied.json["metadata"] == {}


async def test_the_record_says_what_was_there_before(admin: Admin) -> None:
    for owner in ("team-a", "team-b"):
        await admin.request("PUT", PATH, json={"queue": "mail", "metadata": {"owner": owner, "token": "of the pager"}})

    (entry, _) = (await admin.get("/admin/audit/list")).json["data"]

    assert entry["before"] == {"metadata": {"owner": "team-a", "token": "***"}}
    assert entry["after"] == {"queue": "mail", "metadata": {"owner": "team-b", "token": "***"}}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"queue": "A b", "metadata": {}}, "/queue"),
        ({"queue": "mail"}, "/metadata"),
        ({"queue": "mail", "metadata": [1]}, "/metadata"),
        ({"queue": "mail", "metadata": {"owner": "x" * 7_000}}, "/metadata"),
        ({"queue": "mail", "metadata": {"nul": "\0"}}, "/metadata"),
    ],
)
async def test_what_no_notification_could_carry_is_refused_by_name(
    admin: Admin, body: dict[str, object], pointer: str
) -> None:
    answer = await admin.request("PUT", PATH, data=json.dumps(body), headers={"Content-Type": "application/json"})

    assert (answer.status, answer.pointers) == (422, [pointer])
    assert (await admin.get(f"{PATH}?queue=mail")).status == 404


async def test_a_queue_that_nobody_knows_has_none(admin: Admin) -> None:
    assert (await admin.get(f"{PATH}?queue=unheard")).status == 404
    assert (await admin.request("PUT", PATH, json={"queue": "unheard", "metadata": {}})).status == 404
    assert (await admin.get(PATH)).pointers == ["?queue"]


async def test_a_queue_that_the_client_for_ruby_has_made_is_shown_paused_and_filtered_by(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    name = "Mail.Outgoing:high"
    job_id = await insert(conn, queue=name)

    assert (await admin.post("/admin/queue/pause", {"queue": name})).json["queues"] == [name]

    shown = await admin.page(f"/admin/page/queue?name={name}")
    assert (shown.status, name in shown.text) == (200, True)
    for query in (f"queue={name}", f"filter=queue:{name}"):
        assert [job["job_id"] for job in (await admin.get(f"/admin/queue/jobs?{query}")).json["data"]] == [job_id]
    assert (await admin.get(f"{PATH}?queue={name}")).json["paused_at"] is not None
    assert (await admin.post("/admin/queue/clear", {"queue": name})).status < 300
