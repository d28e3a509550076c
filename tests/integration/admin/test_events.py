"""What pages watch: the state of a topic at once, then whenever it changes, from one look for all."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import aiohttp
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Steps
from riverrun.store.watching import Watched, watch
from riverrun_admin import events
from riverrun_admin.routes import events as event_routes
from support.admin import Admin
from support.eventually import eventually
from support.jobs import ago, insert
from support.streams import next_event, watching
from support.tokens import BOSS, bearing, make_token

WITHIN = 10.0
Connection = AsyncConnection[TupleRow]
ENDLESS = {
    "action": "retry", "filter": "kind:email", "wanted": '{"states": []}', "actor": "token:anna", "first_id": 1,
    "last_id": 10**15, "position": 0,
}  # fmt: skip
"""An operation that runs longer than any test."""


async def test_a_job_is_told_at_once_and_whenever_it_changes(admin: Admin) -> None:
    job_id = (await admin.enqueue()).json["job_id"]

    async with watching(admin, f"job:{job_id}") as stream:
        _, first = await next_event(stream)
        await admin.post("/admin/queue/cancel", {"job_id": job_id})
        _, second = await next_event(stream)
        await admin.post("/admin/queue/delete", {"job_id": job_id})
        _, third = await next_event(stream)

    assert (first["topic"], first["state"], first["progress"]) == (f"job:{job_id}", "available", None)
    assert (second["state"], second["deleted"]) == ("cancelled", False)
    assert third == {"topic": f"job:{job_id}", "job_id": job_id, "deleted": True}


BROKEN = """
ALTER TABLE river_queue RENAME TO river_queue_kept;
CREATE VIEW river_queue AS
SELECT name, created_at, updated_at, metadata,
    CASE WHEN 1 / (length(name) - length(name)) = 1 THEN now() END AS paused_at
FROM river_queue_kept;
"""


async def test_a_look_that_fails_is_repeated(admin: Admin, conn: Connection) -> None:
    await insert(conn, "river_queue", name="mail", updated_at=ago("1 minute"))
    async with watching(admin, "queue:mail") as stream:
        await next_event(stream)
        await conn.execute(BROKEN)
        await eventually(lambda: _refused(admin), within=WITHIN)
        await conn.execute("DROP VIEW river_queue; ALTER TABLE river_queue_kept RENAME TO river_queue")
        await admin.enqueue(queue="mail")

        _, told = await next_event(stream)

    assert told["available"] == {"value": 1, "relation": "eq"}


async def _refused(admin: Admin) -> bool:
    return (await admin.get("/admin/queue/stats")).status == 500


async def test_the_overview_and_a_queue_are_told_when_jobs_come(admin: Admin) -> None:
    async with watching(admin, "overview,queue:mail") as stream:
        _, overview = await next_event(stream)
        await admin.enqueue(queue="mail")
        told = {}
        while "queue:mail" not in told:
            _, event = await next_event(stream)
            told[event["topic"]] = event

    assert overview["topic"] == "overview"
    assert overview["states"]["available"] == {"value": 0, "relation": "eq"}
    assert told["queue:mail"]["available"] == {"value": 1, "relation": "eq"}


async def test_operations_are_told_when_they_begin_move_and_end(admin: Admin, conn: Connection) -> None:
    async with watching(admin, "bulk") as stream:
        _, none = await next_event(stream)
        bulk_id = await insert(conn, "riverrun_bulk", **ENDLESS)
        _, begun = await next_event(stream)
        _, moved = await next_event(stream)
        await admin.post("/admin/queue/bulk/abort", {"bulk_id": bulk_id})
        ended = moved
        while ended["running"]:
            _, ended = await next_event(stream)

    assert none == {"topic": "bulk", "newest_id": None, "running": []}
    assert (begun["newest_id"], [each["bulk_id"] for each in begun["running"]]) == (bulk_id, [bulk_id])
    assert begun["running"][0].keys() >= {"action", "filter", "state", "progress", "matched", "changed"}
    assert moved["running"][0]["updated_at"] > begun["running"][0]["updated_at"]
    assert ended == {"topic": "bulk", "newest_id": bulk_id, "running": []}


async def test_one_operation_is_told_until_its_end(admin: Admin, conn: Connection) -> None:
    bulk_id = await insert(conn, "riverrun_bulk", **ENDLESS)

    async with watching(admin, f"bulk:{bulk_id}") as stream:
        _, first = await next_event(stream)
        await admin.post("/admin/queue/bulk/abort", {"bulk_id": bulk_id})
        last = first
        while last["state"] == "running":
            _, last = await next_event(stream)

    assert (first["topic"], first["state"]) == (f"bulk:{bulk_id}", "running")
    assert (last["topic"], last["state"]) == (f"bulk:{bulk_id}", "aborted")


async def test_who_comes_back_is_told_only_what_is_new(admin: Admin) -> None:
    job_id = (await admin.enqueue()).json["job_id"]
    async with watching(admin, f"job:{job_id}") as held:
        last, _ = await next_event(held)

        await admin.post("/admin/queue/cancel", {"job_id": job_id})
        await next_event(held)
        async with watching(admin, f"job:{job_id}", **{"Last-Event-ID": last}) as stream:
            _, missed = await next_event(stream)

    assert missed["state"] == "cancelled"


async def test_two_hundred_readers_cost_one_look(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = (await admin.enqueue()).json["job_id"]
    looks: list[Collection[int]] = []

    def counted(ids: Collection[int]) -> Steps[dict[int, Watched]]:
        looks.append(ids)
        return (yield from watch(ids))

    monkeypatch.setattr(events, "watch", counted)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        many = Admin(admin.url, session, admin.context)

        async def read() -> str:
            async with watching(many, f"job:{job_id}") as stream:
                return str((await next_event(stream))[1]["state"])

        states = await asyncio.gather(*(read() for _ in range(200)))

    assert states == ["available"] * 200
    assert len(looks) < 100


async def test_a_stream_ends_when_the_process_is_about_to_stop(admin: Admin) -> None:
    async with watching(admin, "overview") as stream:
        await next_event(stream)
        admin.context.draining.set()
        async with asyncio.timeout(WITHIN):
            rest = await stream.read()

    assert b"error" not in rest


async def test_more_streams_than_allowed_are_refused(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_READERS", 1)

    async with watching(admin, "overview") as stream:
        await next_event(stream)
        refused = await admin.get("/admin/queue/events")

    assert (refused.status, refused.json["code"]) == (429, "too-many-requests")
    assert refused.headers["Retry-After"]


@pytest.mark.parametrize(
    "topics", ["", "nonsense", "queue:", "job:x", "job:0", "bulk:x", "bulk@mail", ",".join(["job:1"] * 3 + ["x"])]
)
async def test_a_topic_that_is_not_known_is_refused(admin: Admin, topics: str) -> None:
    answer = await admin.get("/admin/queue/events", params={"topics": topics})

    assert (answer.status, answer.pointers) == (422, ["?topics"])


async def test_a_slow_reader_is_given_the_newest_state_only() -> None:
    reader = events.Reader(frozenset({"job:1"}))
    for number in range(1000):
        reader.offer("job:1", events.Event(number, b"", f"data: {number}\n\n".encode()))

    stream = reader.events()
    first, second = await anext(stream), await anext(stream)

    assert (first, second) == (b"retry: 3000\n\n", b"data: 999\n\n")


async def _ends(stream: aiohttp.StreamReader) -> bool:
    async with asyncio.timeout(WITHIN):
        while not stream.at_eof():
            await stream.readany()
    return True


async def test_a_stream_ends_soon_after_its_token(locked: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_routes, "CHECK_SECONDS", 0.1)
    made = await make_token(locked, "read")

    async with watching(locked, "overview", **bearing(made["token"])) as stream:
        await next_event(stream)
        await locked.post("/admin/token/revoke", {"token_id": made["token_id"]}, headers=bearing(BOSS))

        assert await _ends(stream)


async def test_a_stream_ends_when_its_job_goes_to_a_queue_of_others_and_not_when_it_is_deleted(
    locked: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_routes, "CHECK_SECONDS", 0.1)
    token = (await make_token(locked, "read", queues=["mail"]))["token"]
    jobs = [{"task_type": "email", "queue": "mail"}] * 2
    enqueued = await locked.post("/admin/queue/enqueue_many", {"jobs": jobs}, headers=bearing(BOSS))
    moved, deleted = (each["job_id"] for each in enqueued.json["jobs"])

    async with watching(locked, f"job:{moved},job:{deleted}", **bearing(token)) as stream:
        await next_event(stream)
        await next_event(stream)
        await locked.post("/admin/queue/delete", {"job_id": deleted}, headers=bearing(BOSS))
        _, gone = await next_event(stream)
        await asyncio.sleep(0.5)  # several checks
        is_open = not stream.at_eof()
        await locked.post("/admin/queue/move", {"job_id": moved, "queue": "default"}, headers=bearing(BOSS))

        assert (gone["deleted"], is_open) == (True, True)
        assert await _ends(stream)
