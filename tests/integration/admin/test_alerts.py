"""The overview says what the fleet cannot mend by itself, and leads to where it is mended."""

from __future__ import annotations

import re

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.store import horizon
from riverrun_admin.pages import alerts
from support.admin import Admin, Answer
from support.jobs import ago, insert
from support.tokens import BOSS, bearing, make_token

Connection = AsyncConnection[TupleRow]


def told(answer: Answer) -> dict[str, str]:
    """Return the alerts of a page: the HTML of each by its key."""
    assert answer.status == 200
    notes = re.findall(r'<div class="note [a-z]+" data-key="alert-([^"]+)">(.*?)</div>', answer.text)
    return dict(notes)


def way(alert: str) -> str:
    """Return the path that an alert leads to."""
    link = re.search(r'<a class="push" href="\.\./([^"]+)"', alert)
    assert link is not None
    return f"/admin/{link[1]}".replace("&amp;", "&")


async def discard(conn: Connection, jobs: int, queue: str) -> None:
    await conn.execute(
        "INSERT INTO river_job (kind, args, queue, state, finalized_at, max_attempts)"
        " SELECT 'email', '{}', %s, 'discarded', now(), 1 FROM generate_series(1, %s)",
        (queue, jobs),
    )


async def break_everything(conn: Connection, queue: str) -> None:
    await insert(conn, queue=queue, max_attempts=25)
    await discard(conn, alerts.MANY_DISCARDED, queue)
    for kind in ("report", "resting"):
        paused = ago("1 hour") if kind == "resting" else None
        await insert(conn, "riverrun_handler", kind=kind, handler_name=kind, handler_type="local", paused_at=paused)
    health = {"breaker": "open", "reason": "HTTP 503 <b>", "probe_at": ago("-1 minute"), "changed_at": ago("1 minute")}
    await insert(conn, "riverrun_handler_health", kind="report", **health)
    old = ago("1 hour")
    named = {"name": "nightly", "kind": "report", "expression": "@every 1m", "timezone": "UTC", "source": "api"}
    await insert(conn, "riverrun_schedule", queue=queue, last_tick=old, updated_at=old, **named)


async def test_a_fleet_that_is_well_has_nothing_to_see_to(admin: Admin, conn: Connection) -> None:
    await discard(conn, alerts.MANY_DISCARDED - 1, "mail")
    await insert(conn, "riverrun_handler", kind="report", handler_name="report", handler_type="local")

    page = await admin.page("/admin/queue/dashboard")

    assert told(page) == {}
    assert "What to see to" not in page.text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["no executor serves it", "10 jobs of kind email in mail", "is down", "is paused", "is late"]),
        ("zh-CN", ["没有执行器为其服务", "有 10 个 email 任务被废弃", "不可用", "已暂停", "已延迟"]),
    ],
)
async def test_each_thing_is_said_and_leads_to_where_it_is_mended(
    admin: Admin, conn: Connection, language: str, words: list[str]
) -> None:
    await break_everything(conn, "mail")

    found = told(await admin.page("/admin/queue/dashboard", **{"Accept-Language": language}))

    keys = ["unserved-mail", "discarded-mail-email", "down-report", "paused-resting", "late-nightly"]
    assert list(found) == keys
    for key, word in zip(keys, words, strict=True):
        assert word in found[key]
        assert (await admin.page(way(found[key]))).status == 200, key
    assert "HTTP 503 &lt;b&gt;" in found["down-report"]
    assert "river.queues" in found["unserved-mail"]
    assert "<code>queuectl reload</code>" in found["unserved-mail"]


async def test_the_discarded_jobs_are_the_ones_that_the_link_lists(admin: Admin, conn: Connection) -> None:
    await break_everything(conn, "mail")
    await insert(conn, queue="mail", state="discarded", finalized_at=ago("1 hour"), max_attempts=1)

    found = told(await admin.page("/admin/queue/dashboard"))
    listed = await admin.get(way(found["discarded-mail-email"]))

    assert len(listed.json["data"]) == alerts.MANY_DISCARDED


async def test_a_queue_that_somebody_paused_is_not_unserved(admin: Admin, conn: Connection) -> None:
    await insert(conn, queue="mail", max_attempts=25)
    await insert(conn, "river_queue", name="mail", paused_at=ago("1 minute"), updated_at=ago("1 minute"))

    assert told(await admin.page("/admin/queue/dashboard")) == {}


async def test_a_transaction_that_was_forgotten_is_named_with_what_ends_it(
    admin: Admin, conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(horizon, "OLD_SECONDS", 0.0)
    async with await AsyncConnection.connect(database, application_name="forgetful <b>") as other:
        await other.execute("SELECT txid_current()")
        pid = other.info.backend_pid

        found = told(await admin.page("/admin/queue/dashboard"))

    said = found[f"pinned_transaction-transaction-{pid}"]
    assert "forgetful &lt;b&gt; · idle in transaction" in said
    assert f"SELECT pg_terminate_backend({pid});" in said


async def test_a_token_for_some_queues_hears_of_these_alone(
    locked: Admin, conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(horizon, "OLD_SECONDS", 0.0)
    await break_everything(conn, "hushed")
    headers = bearing((await make_token(locked, "read", queues=["mail*"]))["token"])
    async with await AsyncConnection.connect(database) as other:
        await other.execute("SELECT txid_current()")
        pid = other.info.backend_pid

        theirs = told(await locked.page("/admin/queue/dashboard", **headers))
        everything = told(await locked.page("/admin/queue/dashboard", **bearing(BOSS)))

    assert theirs == {}
    # The server may be vacuuming in that moment, which counts as a forgotten transaction too where all are old.
    keys = {"unserved-hushed", "discarded-hushed-email", "down-report", "paused-resting", "late-nightly"}
    pinning = {key for key in everything if key.startswith("pinned_")}
    assert everything.keys() - pinning == keys
    assert f"pinned_transaction-transaction-{pid}" in pinning
