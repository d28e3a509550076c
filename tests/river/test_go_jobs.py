"""Jobs between Riverrun and a real Go client of River, both ways; each test is named after a scenario of River's."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient, JobState, Unique
from riverrun.job import AttemptError, decode_json
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.jobs import ago, insert
from support.queries import value
from support.river_peer import PeerRefusedError, RiverPeer, needs_peer
from support.schedulers import running_scheduler

pytestmark = needs_peer

Connection = AsyncConnection[TupleRow]

SHAPES = (
    "{}",
    '{"big": 9223372036854775807, "bigger": 12345678901234567890123456789, "tiny": 1e-7, "long": 0.100000000000000005}',
    '{"text": "ä 😀 \\u2028 <&> \\\\ / \\"", "list": [1, [], {}], "nothing": null, "yes": true}',
)


def exactly(text: str) -> object:
    """Return JSON with every digit of its numbers, however they are written."""
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


async def completed(client: AsyncClient, job_id: int) -> bool:
    return (await client.get(job_id)).state == JobState.COMPLETED


@pytest.mark.parametrize("args", SHAPES)
async def test_reference_insert_candidate_work(client: AsyncClient, peer: RiverPeer, database: str, args: str) -> None:
    inserted = await peer.ask("insert", kind="raw", args=json.loads(args), tags=["from-go"], priority=3)

    async with running_executor(settings_for(database)):
        await eventually(lambda: completed(client, inserted["job"]["id"]), within=10)

    job = await client.get(inserted["job"]["id"])
    assert exactly(job.metadata["output"]["text"]) == exactly(inserted["job"]["args"])
    assert (job.tags, job.priority, job.max_attempts) == (("from-go",), 3, 25)


async def test_reference_batches_are_worked(client: AsyncClient, peer: RiverPeer, database: str) -> None:
    jobs = [{"kind": "raw", "args": {"n": n}} for n in range(3)]
    await peer.ask("insert_many", jobs=jobs)
    await peer.ask("insert_many", jobs=jobs, fast=True)
    await peer.ask("insert", kind="raw", args={}, scheduled_at=datetime.now(UTC).isoformat())

    async with running_executor(settings_for(database)), running_scheduler(settings_for(database)):

        async def done() -> bool:
            return len((await client.list(state="completed")).jobs) == 7

        await eventually(done, within=15)


@pytest.mark.parametrize("args", SHAPES)
async def test_candidate_insert_reference_work(client: AsyncClient, peer: RiverPeer, args: str) -> None:
    await peer.ask("start", queues={"go": 10}, poll_ms=200)
    text = f'{{"do": "output", "value": {args}}}'

    job = (await client.enqueue("peer_work", text, queue="go", tags=["from-python"])).job
    await eventually(lambda: completed(client, job.id), within=10)

    seen = (await client.get(job.id)).metadata["output"]["args"]
    assert exactly(seen) == exactly(text)


async def test_candidate_batches_are_worked(client: AsyncClient, peer: RiverPeer, conn: Connection) -> None:
    await peer.ask("start", queues={"go": 100}, poll_ms=200)

    await client.enqueue_many([{"kind": "peer_work", "args": {"n": n}, "queue": "go"} for n in range(20)])
    await client.copy_in({"kind": "peer_work", "args": {"n": n}, "queue": "go"} for n in range(1500))
    await client.enqueue("peer_work", {}, queue="go", scheduled_at=datetime.now(UTC) - timedelta(seconds=1))

    done = "SELECT count(*) = 1521 FROM river_job WHERE state = 'completed'"
    await eventually(lambda: value(conn, done), within=30, every=0.2)


async def test_job_row_round_trip_all_fields(client: AsyncClient, peer: RiverPeer) -> None:
    due = datetime(2031, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
    ours = await client.enqueue(
        "peer_work",
        {"do": "output"},
        queue="go",
        priority=4,
        scheduled_at=due,
        max_attempts=7,
        tags=["one", "two"],
        metadata={"trace": {"id": "x"}},
        unique=Unique(by_args=True, by_queue=True),
    )

    theirs = await peer.get(ours.job.id)

    assert theirs["state"] == "scheduled"
    assert (theirs["kind"], theirs["queue"], theirs["priority"]) == ("peer_work", "go", 4)
    assert (theirs["max_attempts"], theirs["tags"]) == (7, ["one", "two"])
    assert datetime.fromisoformat(theirs["scheduled_at"]) == due
    assert json.loads(theirs["metadata"]) == {"trace": {"id": "x"}}
    assert theirs["unique_key"] == (ours.job.unique_key or b"").hex()
    assert len(theirs["unique_states"]) == 6


async def test_job_row_round_trip_of_a_row_with_a_past(client: AsyncClient, peer: RiverPeer, conn: Connection) -> None:
    at = datetime(2026, 1, 2, 3, 4, 6, 123456, tzinfo=UTC)
    error = AttemptError(at, 3, 'worker failed: escaped "detail"', "frame one\nframe two")
    numbers = (
        '{"negative": -9223372036854775808, "big": 123456789012345678901234567890, "small": 0.1000000000000000055511}'
    )
    job_id = await insert(
        conn,
        kind="with_a_past",
        state="discarded",
        args=numbers,
        metadata=numbers[:-1] + ', "beyond": 1e400}',
        attempt=3,
        max_attempts=4,
        priority=2,
        queue="priority_jobs",
        created_at=at - timedelta(days=1),
        scheduled_at=at - timedelta(hours=1),
        attempted_at=at,
        finalized_at=at + timedelta(seconds=1),
        attempted_by=["go-client", "riverrun-client"],
        errors=[error.to_json()],
        tags=["alpha_tag", "beta_tag"],
        unique_key=b"\xab" * 32,
        unique_states="11110101",
    )

    theirs, ours = await peer.get(job_id), await client.get(job_id)

    assert decode_json(theirs["args"]) == ours.args
    assert decode_json(theirs["metadata"]) == ours.metadata
    for name in ("created_at", "scheduled_at", "attempted_at", "finalized_at"):
        assert datetime.fromisoformat(theirs[name]) == getattr(ours, name)
    for name in ("kind", "state", "attempt", "max_attempts", "priority", "queue"):
        assert theirs[name] == getattr(ours, name)
    assert (tuple(theirs["tags"]), tuple(theirs["attempted_by"])) == (ours.tags, ours.attempted_by)
    assert theirs["unique_key"] == (ours.unique_key or b"").hex()
    assert ours.errors == (error,)
    assert [AttemptError.from_json(each) for each in theirs["errors"]] == [error]
    await client.update(job_id, output="kept")
    after = json.loads((await peer.get(job_id))["metadata"], parse_int=str, parse_float=str)
    before = json.loads(theirs["metadata"], parse_int=str, parse_float=str)
    assert after == {**before, "output": "kept"}


UNIQUE: tuple[tuple[dict[str, Any], dict[str, Any], Unique, dict[str, Any]], ...] = (
    ({"by_args": True}, {}, Unique(by_args=True), {}),
    ({"by_args": True, "exclude_kind": True}, {}, Unique(by_args=True, exclude_kind=True), {}),
    ({"by_queue": True}, {"queue": "one_queue"}, Unique(by_queue=True), {"queue": "one_queue"}),
    (
        {"by_state": ["available", "pending", "running", "scheduled"]},
        {},
        Unique(by_state=["available", "pending", "running", "scheduled"]),
        {},
    ),
)


@pytest.mark.parametrize(("their_unique", "their_options", "our_unique", "our_options"), UNIQUE)
async def test_unique_column_bytes(  # noqa: PLR0917 - the case, and who writes and reads it
    client: AsyncClient,
    peer: RiverPeer,
    conn: Connection,
    their_unique: dict[str, Any],
    their_options: dict[str, Any],
    our_unique: Unique,
    our_options: dict[str, Any],
) -> None:
    args = {"zeta": "<&>\u2028 ä", "alpha": 0.25, "nested": {"z": 1, "a": [True, None]}, "big": 2**63 - 1}
    theirs = await peer.ask("insert", kind="same", args=args, unique=their_unique, **their_options)

    ours = await client.enqueue("same", args, unique=our_unique, **our_options)

    assert ours.duplicate
    assert ours.job.id == theirs["job"]["id"]
    assert await value(conn, "SELECT count(*) FROM river_job") == 1


async def test_cross_language_unique_conflict(client: AsyncClient, peer: RiverPeer) -> None:
    args = {"account": {"id": "7", "region": "eu"}, "label": "x", "note": "ours"}
    ours = await client.enqueue("peer_selected", args, unique=Unique(by_args=["account.id", "label"]))

    theirs = await peer.ask("insert", kind="peer_selected", args={**args, "note": "theirs"}, unique={"by_args": True})

    assert theirs["duplicate"] is True
    assert theirs["job"]["id"] == ours.job.id


WAITS = (
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%river_job%'"
    " AND datname = current_database()"
)


@pytest.mark.parametrize(("their_unique", "their_options", "our_unique", "our_options"), UNIQUE)
async def test_cross_language_unique_conflict_waits_for_our_transaction(  # noqa: PLR0917 - the case, and who meets
    client: AsyncClient,
    peer: RiverPeer,
    conn: Connection,
    database: str,
    their_unique: dict[str, Any],
    their_options: dict[str, Any],
    our_unique: Unique,
    our_options: dict[str, Any],
) -> None:
    async with await AsyncConnection.connect(database) as own:
        ours = await client.enqueue("same", {}, conn=own, unique=our_unique, **our_options)
        asked = asyncio.create_task(peer.ask("insert", kind="same", args={}, unique=their_unique, **their_options))
        await eventually(lambda: value(conn, WAITS), within=10)

        await own.commit()

        theirs = await asked
    assert (theirs["duplicate"], theirs["job"]["id"]) == (True, ours.job.id)


@pytest.mark.parametrize(("their_unique", "their_options", "our_unique", "our_options"), UNIQUE)
async def test_cross_language_unique_conflict_waits_for_their_transaction(  # noqa: PLR0917 - the case, and who meets
    client: AsyncClient,
    peer: RiverPeer,
    conn: Connection,
    their_unique: dict[str, Any],
    their_options: dict[str, Any],
    our_unique: Unique,
    our_options: dict[str, Any],
) -> None:
    await peer.ask("begin", name="one")
    theirs = await peer.ask("insert", kind="same", args={}, tx="one", unique=their_unique, **their_options)
    asked = asyncio.create_task(client.enqueue("same", {}, unique=our_unique, **our_options))
    await eventually(lambda: value(conn, WAITS), within=10)

    await peer.ask("commit", name="one")

    ours = await asked
    assert (ours.duplicate, ours.job.id) == (True, theirs["job"]["id"])


async def test_transaction_commit_visibility(client: AsyncClient, peer: RiverPeer) -> None:
    await peer.ask("begin", name="one")
    inserted = await peer.ask("insert", kind="raw", args={}, tx="one")
    assert (await client.list()).jobs == []

    await peer.ask("commit", name="one")

    assert [job.id for job in (await client.list()).jobs] == [inserted["job"]["id"]]


async def test_transaction_rollback_visibility(client: AsyncClient, peer: RiverPeer) -> None:
    await peer.ask("begin", name="one")
    await peer.ask("insert", kind="raw", args={}, tx="one")
    await peer.ask("rollback", name="one")

    assert (await client.list()).jobs == []


async def test_differential_job_crud(client: AsyncClient, peer: RiverPeer) -> None:
    ids = [(await client.enqueue("raw", {"n": n})).job.id for n in range(3)]

    cancelled = await peer.ask("cancel", job_id=ids[0])
    assert (cancelled["state"], (await client.get(ids[0])).state) == ("cancelled", JobState.CANCELLED)
    assert (await client.retry(ids[0])).state == JobState.AVAILABLE
    assert (await peer.get(ids[0]))["finalized_at"] is None
    await client.cancel(ids[1])
    assert (await peer.ask("retry", job_id=ids[1]))["state"] == "available"
    await peer.ask("delete", job_id=ids[2])
    assert {job.id for job in (await client.list()).jobs} == set(ids[:2])


async def test_cross_language_cancel_retry_race(client: AsyncClient, peer: RiverPeer, conn: Connection) -> None:
    ids = [await insert(conn, state="retryable", attempt=1, scheduled_at=ago("-1 hour")) for _ in range(20)]

    for number, job_id in enumerate(ids):
        if number % 2:
            await asyncio.gather(peer.ask("cancel", job_id=job_id), client.retry(job_id))
        else:
            await asyncio.gather(client.cancel(job_id), peer.ask("retry", job_id=job_id))

    # Whoever comes second finds a job in a whole state: cancelled for good, or available as if nothing had been.
    rows = [await peer.get(job_id) for job_id in ids]
    assert {row["state"] for row in rows} <= {"available", "cancelled"}
    assert all((row["finalized_at"] is not None) == (row["state"] == "cancelled") for row in rows)
    assert all(row["attempt"] == 1 and not row["errors"] for row in rows)


async def test_a_failed_attempt_of_ours_is_read_by_go(client: AsyncClient, peer: RiverPeer, database: str) -> None:
    job = (await client.enqueue("fail", {"message": "broken <&> ä"}, max_attempts=1)).job
    async with running_executor(settings_for(database)):
        await eventually(lambda: _finished(client, job.id), within=10)

    (error,) = (await peer.get(job.id))["errors"]

    assert error["attempt"] == 1
    assert "broken <&> ä" in error["error"]
    assert "Traceback" in error["trace"]


async def test_panic_attempt_trace(client: AsyncClient, peer: RiverPeer) -> None:
    await peer.ask("start", queues={"go": 1}, poll_ms=200)
    job = (await client.enqueue("peer_work", {"do": "panic", "message": "oh"}, queue="go", max_attempts=1)).job
    await eventually(lambda: _finished(client, job.id), within=10)

    (error,) = (await client.get(job.id)).errors

    assert (error.attempt, error.error) == (1, "oh")
    assert ".go:" in error.trace


async def test_snooze_once_metadata_transition(client: AsyncClient, peer: RiverPeer, database: str) -> None:
    await peer.ask("start", queues={"go": 1}, poll_ms=200)
    theirs = (await client.enqueue("peer_work", {"do": "snooze", "millis": 60_000}, queue="go")).job
    ours = await peer.ask("insert", kind="snooze", args={"seconds": 60})
    async with running_executor(settings_for(database)):
        await eventually(lambda: _is(client, theirs.id, JobState.SCHEDULED), within=10)
        await eventually(lambda: _is(client, ours["job"]["id"], JobState.SCHEDULED), within=10)

    for job_id in (theirs.id, ours["job"]["id"]):
        job = await client.get(job_id)
        assert (job.attempt, job.metadata["snoozes"], job.errors) == (0, 1, ())


async def test_mixed_skip_locked_competition(
    client: AsyncClient, peer: RiverPeer, database: str, conn: Connection
) -> None:
    await client.copy_in({"kind": "peer_work", "args": {"n": n}} for n in range(2000))
    by_us = "SELECT count(*) FROM river_job WHERE attempted_by[1] LIKE 'test-host_%'"

    await peer.ask("start", queues={"default": 20}, poll_ms=100)
    async with running_executor(settings_for(database, job_timeout=-1), slots=20):
        await eventually(
            lambda: value(conn, "SELECT count(*) = 2000 FROM river_job WHERE state = 'completed'"), within=60, every=0.2
        )

    assert await value(conn, "SELECT bool_and(attempt = 1 AND cardinality(attempted_by) = 1) FROM river_job")
    assert 0 < await value(conn, by_us) < 2000


async def test_mixed_unknown_kind_error(client: AsyncClient, peer: RiverPeer) -> None:
    await peer.ask("start", queues={"go": 1}, poll_ms=200)
    job = (await client.enqueue("only_in_python", {}, queue="go", max_attempts=1)).job
    await eventually(lambda: _finished(client, job.id), within=10)

    (error,) = (await client.get(job.id)).errors

    assert "not registered" in error.error


async def test_unsafe_int64_job_ids(client: AsyncClient, peer: RiverPeer, conn: Connection) -> None:
    largest = 2**63 - 1
    await insert(conn, id=largest, kind="raw")

    assert (await peer.get(largest))["id"] == largest
    assert [job.id for job in (await client.list()).jobs] == [largest]
    assert (await client.cancel(largest)).job_id == largest


async def test_reserved_metadata_cross_engine(client: AsyncClient, peer: RiverPeer, database: str) -> None:
    reserved = {
        "river:log": [{"attempt": 1, "log": "one"}],
        "river:resumable_step": "first",
        "river:periodic_job_id": "nightly",
        "unknown": {"kept": True},
    }
    theirs = await peer.ask("insert", kind="greet", args={"name": "Ada"}, metadata=reserved)
    async with running_executor(settings_for(database)):
        await eventually(lambda: completed(client, theirs["job"]["id"]), within=10)

    after = json.loads((await peer.get(theirs["job"]["id"]))["metadata"])
    assert after == {**reserved, "output": {"text": "hello Ada"}}


async def test_go_refuses_what_we_refuse(peer: RiverPeer) -> None:
    with pytest.raises(PeerRefusedError, match="priority"):
        await peer.ask("insert", kind="raw", args={}, priority=5)


async def _finished(client: AsyncClient, job_id: int) -> bool:
    return (await client.get(job_id)).finalized_at is not None


async def _is(client: AsyncClient, job_id: int, state: JobState) -> bool:
    return (await client.get(job_id)).state == state
