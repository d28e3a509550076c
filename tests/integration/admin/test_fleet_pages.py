"""The pages of queues, of operations on many jobs, of the audit log, and of tokens: what they show and do."""

from __future__ import annotations

import re
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from support.admin import Admin, path_of, running_admin, sent
from support.eventually import eventually
from support.jobs import insert
from support.queries import value

Connection = AsyncConnection[TupleRow]

BOSS = "the-token-of-the-configuration"
FAR = 10**15
"""An operation up to this id runs longer than any test."""


async def operation(conn: Connection, **columns: Any) -> int:
    """Insert an operation on the retryable jobs of a kind and return its id."""
    said = {"action": "retry", "filter": "kind:email", "wanted": '{"states": []}', "actor": "token:anna", "first_id": 1}
    return int(await insert(conn, "riverrun_bulk", **said, last_id=FAR, position=0, **columns))


async def test_a_running_operation_is_shown_and_aborted(admin: Admin, conn: Connection) -> None:
    bulk_id = await operation(conn)

    listed = await admin.page("/admin/queue/bulk")
    shown = await admin.page(f"/admin/queue/bulk/{bulk_id}")
    aborted = path_of(await sent(admin, "bulk/abort", bulk_id=bulk_id))
    after = await admin.page(f"/admin/{aborted}")

    assert 'data-topics="bulk"' in listed.text
    assert f'data-topics="bulk:{bulk_id}"' in shown.text
    assert "kind:email" in shown.text
    assert "Abort" in shown.text
    assert aborted == f"queue/bulk/{bulk_id}?notice=bulk_aborted"
    assert "Aborted" in after.text
    assert await value(conn, "SELECT state FROM riverrun_bulk") == "aborted"


async def test_the_pages_of_operations_turn(admin: Admin, conn: Connection) -> None:
    ids = [await operation(conn) for _ in range(3)]

    first = await admin.page("/admin/queue/bulk?limit=2")
    following = re.search(r'rel="next" href="\?([^"]+)"', first.text)
    assert following is not None
    second = await admin.page(f"/admin/queue/bulk?{following[1].replace('&amp;', '&')}")

    assert [f"bulk-{bulk_id}" in first.text for bulk_id in ids] == [False, True, True]
    assert [f"bulk-{bulk_id}" in second.text for bulk_id in ids] == [True, False, False]
    assert "First page" in second.text


async def test_a_queue_is_paused_for_a_reason_and_a_time_and_every_reader_learns_them(
    admin: Admin, conn: Connection
) -> None:
    await admin.enqueue(queue="mail")
    await insert(conn, state="running", attempt=1, attempted_at="2030-01-01T00:00:00Z", queue="mail")

    path_of(await sent(admin, "queue/pause", queue="mail", reason="<relay> is down", resume_in_s="900"))
    shown = await admin.page("/admin/page/queue?name=mail")
    listed = await admin.page("/admin/queue/list")
    told = {queue["name"]: queue for queue in (await admin.get("/admin/queue/list")).json["data"]}["mail"]

    for page in (shown, listed):
        assert "&lt;relay&gt; is down · local" in page.text
        assert "1 still run" in page.text
    assert (told["pause_reason"], told["paused_by"]) == ("<relay> is down", "local")
    assert told["resume_at"] > told["paused_at"]

    path_of(await sent(admin, "queue/resume", queue="mail"))
    assert await value(conn, "SELECT count(*) FROM riverrun_queue_pause") == 0


async def test_a_pause_by_another_client_has_no_reason_of_ours(admin: Admin, conn: Connection) -> None:
    await admin.enqueue(queue="mail")
    await admin.post("/admin/queue/pause", {"queue": "mail", "reason": "ours"})

    await conn.execute("UPDATE river_queue SET paused_at = now() + interval '1 second'")
    told = {queue["name"]: queue for queue in (await admin.get("/admin/queue/list")).json["data"]}["mail"]

    assert (told["paused_at"] is not None, told["pause_reason"], told["paused_by"]) == (True, None, None)


async def test_what_is_said_about_a_pause_is_checked(admin: Admin) -> None:
    await admin.enqueue(queue="mail")

    refused = [
        await admin.post("/admin/queue/pause", {"queue": "mail", **said})
        for said in (
            {"reason": "r" * 256},
            {"reason": 7},
            {"resume_at": "tomorrow"},
            {"resume_at": "2030-01-01T00:00"},
            {"resume_at": "9999-12-31T23:59:59-14:00"},
        )
    ]
    by_form = await sent(admin, "queue/pause", queue="mail", resume_in_s="-1")

    assert [(answer.status, answer.pointers) for answer in refused] == [
        (422, ["/reason"]),
        (422, ["/reason"]),
        (422, ["/resume_at"]),
        (422, ["/resume_at"]),
        (422, ["/resume_at"]),
    ]
    assert by_form.status == 422
    told = (await admin.get("/admin/queue/list")).json["data"]
    assert all(queue["paused_at"] is None for queue in told)


async def test_a_queue_is_cleared_of_what_waits_and_the_count_is_asked_for(admin: Admin, conn: Connection) -> None:
    await conn.execute(
        "INSERT INTO river_job (state, kind, args, max_attempts, queue)"
        " SELECT 'available', 'email', '{}', 3, 'mail' FROM generate_series(1, 1001)"
    )
    kept = await insert(conn, queue="default")

    shown = await admin.page("/admin/page/queue?name=mail")
    path = path_of(await sent(admin, "queue/clear", queue="mail"))

    assert "Delete the 1,001 waiting jobs of mail for good?" in shown.text
    assert 'required pattern="1001"' in shown.text
    assert re.fullmatch(r"queue/bulk/\d+\?notice=bulk_begun", path)

    async def is_empty() -> bool:
        return bool(await value(conn, "SELECT count(*) FROM river_job") == 1)

    await eventually(is_empty, within=15.0)
    assert await value(conn, "SELECT id FROM river_job") == kept


async def test_the_slots_of_one_server_are_set_and_shown(admin: Admin, conn: Connection) -> None:
    await admin.enqueue(queue="mail")

    path_of(await sent(admin, "queue/scale", queue="mail", server_id="worker-1", max_workers="7"))
    shown = await admin.page("/admin/page/queue?name=mail")
    told = {queue["name"]: queue for queue in (await admin.get("/admin/queue/list")).json["data"]}["mail"]
    path_of(await sent(admin, "queue/scale", queue="mail", server_id="worker-1", max_workers=""))

    assert 'name="max_workers" value="7"' in shown.text
    assert told["max_workers_by_server"] == {"worker-1": 7}
    assert told["max_workers"] is None
    assert await value(conn, "SELECT count(*) FROM riverrun_queue_setting") == 0


async def test_the_record_shows_what_a_change_was_about_and_whether_it_is_intact(
    admin: Admin, conn: Connection
) -> None:
    await admin.enqueue(queue="mail")
    await admin.post("/admin/queue/pause", {"queue": "mail", "reason": "<b>night</b>"})
    await admin.post("/admin/queue/resume", {"queue": "mail"})

    one = await admin.page("/admin/audit/list?action=queue.pause&actor=&target=queue:mail")
    none = await admin.page("/admin/audit/list?actor=nobody")
    intact = await admin.page("/admin/audit/verify")
    await conn.execute("UPDATE riverrun_audit SET actor = 'somebody' WHERE action = 'queue.pause'")
    broken = await admin.page("/admin/audit/verify?lang=zh-CN")

    assert "&lt;b&gt;night&lt;/b&gt;" in one.text
    assert 'href="../page/queue?name=mail"' in one.text
    assert "queue.resume" not in one.text
    assert "No entry matches" in none.text
    assert "The record is intact" in intact.text
    assert "条记录被篡改" in broken.text


async def test_a_token_is_shown_once_and_works_until_it_is_revoked(database: str, conn: Connection) -> None:
    async with running_admin(database, tokens=[BOSS]) as admin:
        admin.session.headers["Authorization"] = f"Bearer {BOSS}"
        made = await sent(
            admin, "token/create", name="deploy", role="enqueue", queues="mail*, reports", expires_in_s="86400"
        )
        (text,) = re.findall(r"rr_[\w-]{40,}", made.text)
        listed = await admin.page("/admin/token/list")
        used = await admin.post(
            "/admin/queue/enqueue",
            {"task_type": "email", "queue": "mail"},
            headers={"Authorization": f"Bearer {text}"},
        )
        token_id = await value(conn, "SELECT id FROM riverrun_token")
        revoked = path_of(await sent(admin, "token/revoke", token_id=token_id))
        after = await admin.page("/admin/token/list")

    assert (made.status, made.headers["Cache-Control"]) == (200, "no-store")
    assert used.status == 201
    assert text not in listed.text + await value(conn, "SELECT string_agg(entry, '') FROM riverrun_audit")
    assert "mail*, reports" in listed.text
    assert revoked == "token/list?notice=token_revoked"
    assert "revoked" in after.text


async def test_a_token_that_may_not_be_made_is_a_sentence(admin: Admin, conn: Connection) -> None:
    for fields in (
        {"name": "", "role": "read"},
        {"name": "a", "role": "owner"},
        {"name": "a", "role": "read", "queues": "A!"},
    ):
        answer = await sent(admin, "token/create", **fields)

        assert answer.status == 422
        assert 'id="problem"' in answer.text
    assert await value(conn, "SELECT count(*) FROM riverrun_token") == 0


async def test_the_navigation_has_what_the_reader_may_open(database: str) -> None:
    async with running_admin(database, tokens=[BOSS]) as admin:
        bearer = {"Authorization": f"Bearer {BOSS}"}
        reader = (await admin.post("/admin/token/create", {"name": "r", "role": "read"}, headers=bearer)).json["token"]

        seen = await admin.page("/admin/page/settings", Authorization=f"Bearer {reader}")
        whole = await admin.page("/admin/page/settings", **bearer)

    assert "audit/list" in whole.text
    assert "postgresql.host" in whole.text or "river.max_attempts" in whole.text
    assert "audit/list" not in seen.text
    assert "river.max_attempts" not in seen.text


async def test_what_became_of_the_ticks_of_a_schedule_is_told(admin: Admin, conn: Connection) -> None:
    await admin.post("/admin/schedule/create", {"name": "hourly", "task_type": "email", "cron": "@hourly"})
    done = await insert(
        conn, state="completed", attempted_at="2030-01-01T00:00:00Z", finalized_at="2030-01-01T00:00:02Z"
    )
    for hours, job_id in ((2, 10**6), (1, done)):
        await conn.execute(
            "INSERT INTO riverrun_schedule_tick (schedule, tick, job_id)"
            " VALUES ('hourly', now() - %s * interval '1 hour', %s)",
            (hours, job_id),
        )

    told = (await admin.get("/admin/schedule/history?name=hourly")).json["data"]
    listed = await admin.page("/admin/schedule/list")
    shown = await admin.page("/admin/page/schedule?name=hourly")
    unknown = await admin.get("/admin/schedule/history?name=daily")

    assert [(tick["job_id"], tick["state"]) for tick in told] == [(done, "completed"), (10**6, None)]
    assert f'class="completed" href="../queue/jobs/{done}"' in listed.text
    assert "2.0 s" in shown.text
    assert shown.text.count(" UTC</td>") == 5, "the next five times"
    assert unknown.status == 404


async def test_servers_show_who_leads_which_releases_run_and_whose_lease_is_over(
    admin: Admin, conn: Connection
) -> None:
    for name, release in (("one", "0.1.0"), ("two", "0.2.0")):
        await insert(conn, "riverrun_server", server_id=name, host=name, pid=1, version=release, roles=["executor"])
        await insert(
            conn,
            "riverrun_executor",
            incarnation=f"{name}_1_00000000",
            server_id=name,
            queue="default",
            slots=5,
            pid=1,
            lease_until="2000-01-01T00:00:00Z" if name == "two" else "2100-01-01T00:00:00Z",
        )

    shown = await admin.page("/admin/server/list")

    assert "0.1.0 · 0.2.0" in shown.text
    assert "The lease of two_1_00000000 (queue default) has run out" in shown.text
    assert "No scheduler leads now" in shown.text


async def test_very_many_queues_are_listed_page_by_page(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    await conn.execute(
        "INSERT INTO river_queue (name) SELECT 'q-' || to_char(n, 'FM0000') FROM generate_series(1, 120) n"
    )
    seen: list[str] = []
    path: str | None = "/admin/queue/list"

    while path is not None:
        answer = await admin.page(path)
        assert len(answer.body) < 150_000
        seen += re.findall(r'data-key="queue-(q-\d+)"', answer.text)
        further = re.search(r'rel="next" href="([^"]+)"', answer.text)
        path = "/admin/queue/list" + further[1].replace("&amp;", "&") if further else None

    assert seen == [f"q-{number:04}" for number in range(1, 121)]
    assert (await admin.page("/admin/queue/list?cursor=gone")).text.count('data-key="queue-') == 50
