"""One thing is done to all jobs that a filter names, batch by batch, and to no other; whoever takes the next batch."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Statements
from riverrun.job import JobState
from riverrun.job_query import parse
from riverrun.store import bulk_operations
from riverrun.store.listing import JobFilter
from support.admin import Admin, Answer
from support.eventually import eventually
from support.jobs import ago, insert
from support.queries import value

Connection = AsyncConnection[TupleRow]


async def begin(admin: Admin, action: str, text: str, **params: Any) -> Answer:
    return await admin.post("/admin/queue/bulk", {"action": action, "filter": text, **params})


async def ended(admin: Admin, begun: Answer) -> dict[str, Any]:
    assert begun.status == 202, begun.text

    found: dict[str, Any] = {}

    async def has_ended() -> bool:
        found.update((await admin.get(begun.headers["Location"])).json)
        return bool(found["state"] != "running")

    await eventually(has_ended, within=15.0)
    return found


async def states(conn: Connection, where: str = "true") -> dict[str, int]:
    query = f"SELECT state::text, count(*) FROM river_job WHERE {where} GROUP BY 1"
    return {row[0]: row[1] for row in await (await conn.execute(query.encode())).fetchall()}


async def seed(conn: Connection, state: str, jobs: int, *, kind: str = "email", queue: str = "default") -> None:
    final = state in ("completed", "cancelled", "discarded")
    await conn.execute(
        """INSERT INTO river_job (state, kind, args, max_attempts, attempt, queue, finalized_at, errors)
        SELECT %s::river_job_state, %s, '{"user": {"id": 7}}', 25, 25, %s, CASE WHEN %s THEN now() END,
            ARRAY['{"error": "Timed Out", "attempt": 1, "at": "2030-01-01T00:00:00Z", "trace": ""}'::jsonb]
        FROM generate_series(1, %s)""",
        (state, kind, queue, final, jobs),
    )


async def test_all_that_match_are_retried_in_several_batches_and_no_other(admin: Admin, conn: Connection) -> None:
    await seed(conn, "discarded", 1_200)
    await seed(conn, "discarded", 5, kind="report")
    await seed(conn, "completed", 5)

    found = await ended(admin, await begin(admin, "retry", 'state:discarded kind:email error:"timed out"'))

    assert (found["state"], found["matched"], found["changed"], found["progress"]) == ("done", 1_200, 1_200, 1.0)
    assert await states(conn) == {"available": 1_200, "discarded": 5, "completed": 5}


ACTIONS: list[tuple[str, dict[str, Any], str, str]] = [
    ("cancel", {}, "available", "state = 'cancelled'"),
    ("delete", {}, "available", "false"),
    ("snooze", {"delay_s": 3600}, "available", "state = 'scheduled' AND scheduled_at > now() + interval '59 minutes'"),
    ("run", {}, "retryable", "state = 'available' AND max_attempts = 26"),
    ("reprioritize", {"priority": 9}, "available", "priority = 9"),
    ("move", {"queue": "slow"}, "available", "queue = 'slow'"),
]


@pytest.mark.parametrize(("action", "params", "state", "afterwards"), ACTIONS, ids=[case[0] for case in ACTIONS])
async def test_each_action_does_what_it_says(
    admin: Admin, conn: Connection, action: str, params: dict[str, Any], state: str, afterwards: str
) -> None:
    await seed(conn, state, 3)
    await seed(conn, "completed", 2)
    await seed(conn, "running", 1)

    found = await ended(admin, await begin(admin, action, "kind:email state:" + state, **params))

    assert (found["matched"], found["changed"]) == (3, 3)
    left = "0" if action == "delete" else "3"
    assert str(await value(conn, f"SELECT count(*) FROM river_job WHERE kind = 'email' AND {afterwards}")) == left
    assert (await states(conn, "state IN ('completed', 'running')")) == {"completed": 2, "running": 1}


async def test_a_job_whose_unique_key_is_taken_is_left_as_it_is(admin: Admin, conn: Connection) -> None:
    # Of the first key a waiting job is there; of the second none, so the older of the two may take it.
    for key, state in ((b"a", "discarded"), (b"a", "available"), (b"b", "discarded"), (b"b", "discarded")):
        final: dict[str, Any] = {"finalized_at": ago("1 hour")} if state == "discarded" else {}
        await insert(conn, state=state, unique_key=key, unique_states="11110101", max_attempts=25, **final)

    found = await ended(admin, await begin(admin, "retry", "state:discarded"))

    assert (found["state"], found["matched"], found["changed"]) == ("done", 3, 1)


async def test_jobs_that_come_later_are_not_touched(conn: Connection) -> None:
    await seed(conn, "available", 3)
    statements = Statements()
    wanted = parse("state:available")
    bulk = await statements.run(
        conn, bulk_operations.begin("delete", {}, wanted, filter_text="state:available", actor="test")
    )
    await seed(conn, "available", 4)

    async with conn.transaction():
        stepped = await statements.run(conn, bulk_operations.step(bulk.id))

    assert stepped is not None
    assert stepped.state == "done"
    assert await states(conn) == {"available": 4}


EARLIER, LATER = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
OTHERS: dict[str, Any] = {
    "states": (JobState.AVAILABLE,), "queues": ("other",), "kinds": ("other",), "tags": ("other",),
    "tags_all": ("other",), "priorities": (9,), "ids": (10**9,), "created_after": LATER,
    "created_before": EARLIER, "scheduled_after": LATER, "scheduled_before": EARLIER,
    "finalized_after": LATER, "finalized_before": EARLIER, "args": '{"user": {"id": 8}}',
    "metadata": '{"other": 1}', "error": "other", "fingerprints": ("0" * 16,),
}  # fmt: skip
"""For each field of a filter a value that no seeded job has."""


async def test_a_job_that_any_one_field_excludes_is_neither_counted_nor_touched(conn: Connection) -> None:
    await seed(conn, "discarded", 3)
    statements = Statements()
    assert OTHERS.keys() == {field.name for field in fields(JobFilter)}

    for name, other in OTHERS.items():
        wanted = JobFilter(**{name: other})
        assert (await statements.run(conn, bulk_operations.count(wanted))).value == 0, name
        begun = await statements.run(conn, bulk_operations.begin("delete", {}, wanted, filter_text=name, actor="test"))
        stepped = await statements.run(conn, bulk_operations.step(begun.id))
        assert stepped is not None
        assert (stepped.state, stepped.matched) == ("done", 0), name

    assert await states(conn) == {"discarded": 3}


async def test_a_step_that_dies_leaves_nothing_and_the_next_one_goes_on(conn: Connection) -> None:
    await seed(conn, "available", 10)
    statements = Statements()
    bulk = await statements.run(
        conn, bulk_operations.begin("delete", {}, parse("kind:email"), filter_text="kind:email", actor="test")
    )

    class Died(Exception):
        pass

    async def dies() -> None:
        async with conn.transaction():
            await statements.run(conn, bulk_operations.step(bulk.id, most=4))
            raise Died

    with pytest.raises(Died):
        await dies()
    assert await states(conn) == {"available": 10}

    steps = 0
    while (await statements.run(conn, bulk_operations.get(bulk.id))).finished_at is None:
        async with conn.transaction():
            await statements.run(conn, bulk_operations.step(bulk.id, most=4))
        steps += 1

    assert steps == 3
    assert await states(conn) == {}


async def test_one_that_another_has_is_left_to_it(conn: Connection, database: str) -> None:
    statements = Statements()
    bulk = await statements.run(
        conn, bulk_operations.begin("delete", {}, parse("kind:email"), filter_text="kind:email", actor="test")
    )

    async with conn.transaction():
        await statements.run(conn, bulk_operations.held())
        async with await AsyncConnection.connect(database) as other:
            taken = await statements.run(other, bulk_operations.step(bulk.id))

    assert taken is None


async def test_an_operation_is_aborted_where_it_is(admin: Admin, conn: Connection) -> None:
    bulk = await Statements().run(
        conn, bulk_operations.begin("delete", {}, parse("kind:none"), filter_text="kind:none", actor="test")
    )
    await conn.execute("UPDATE riverrun_bulk SET last_id = 1000000000000")

    answer = await admin.post("/admin/queue/bulk/abort", {"bulk_id": bulk.id})
    again = await admin.post("/admin/queue/bulk/abort", {"bulk_id": bulk.id})
    unknown = await admin.post("/admin/queue/bulk/abort", {"bulk_id": 12345})

    assert (answer.status, answer.json["state"], again.json["state"], unknown.status) == (
        200,
        "aborted",
        "aborted",
        404,
    )


async def test_a_dry_run_counts_and_changes_nothing(admin: Admin, conn: Connection) -> None:
    await seed(conn, "available", 12)

    answer = await begin(admin, "delete", "args.user.id:7", dry_run=True)

    assert (answer.status, answer.json["count"]) == (200, {"value": 12, "relation": "eq"})
    assert await value(conn, "SELECT count(*) FROM riverrun_bulk") == 0
    assert await states(conn) == {"available": 12}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "explode", "filter": "kind:email"}, "/action"),
        ({"action": "delete"}, "/filter"),
        ({"action": "delete", "filter": "  "}, "/filter"),
        ({"action": "delete", "filter": "kind:email", "job_ids": [1]}, "/filter"),
        ({"action": "delete", "filter": "colour:red"}, "/filter"),
        ({"action": "delete", "filter": "kind:email", "priority": 1}, "/priority"),
        ({"action": "snooze", "filter": "kind:email"}, "/delay_s"),
        ({"action": "move", "filter": "kind:email", "queue": "A"}, "/queue"),
        ({"action": "reprioritize", "filter": "kind:email", "priority": 10}, "/priority"),
    ],
)
async def test_an_operation_that_is_not_allowed_is_refused(admin: Admin, body: dict[str, Any], pointer: str) -> None:
    answer = await admin.post("/admin/queue/bulk", body)

    assert answer.status == 422
    assert answer.pointers[0].startswith(pointer)


async def test_a_queue_is_cleared_of_what_is_available(admin: Admin, conn: Connection) -> None:
    await seed(conn, "available", 3, queue="mail")
    await seed(conn, "scheduled", 1, queue="mail")
    await seed(conn, "available", 1)

    found = await ended(admin, await admin.post("/admin/queue/clear", {"queue": "mail"}))

    assert found["changed"] == 3
    assert await states(conn) == {"scheduled": 1, "available": 1}


async def test_a_drained_queue_is_paused_and_tells_what_still_runs(admin: Admin, conn: Connection) -> None:
    await seed(conn, "running", 2, queue="mail")

    answer = await admin.post("/admin/queue/drain", {"queue": "mail"})

    assert answer.json == {"queues": ["mail"], "paused": True, "running": {"value": 2, "relation": "eq"}}


async def test_operations_are_listed_and_watched(admin: Admin, conn: Connection) -> None:
    await seed(conn, "available", 1)
    begun = await begin(admin, "delete", "kind:email")
    await ended(admin, begun)

    listed = (await admin.get("/admin/queue/bulk")).json["data"]

    assert [each["bulk_id"] for each in listed] == [begun.json["bulk_id"]]
    assert listed[0]["actor"] == "local"
