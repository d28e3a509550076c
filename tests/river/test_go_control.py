"""Control, leadership and schedules beside a real Go client; each test is named after a scenario of River's."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient, EventKind, JobState, Unique, operations
from riverrun_scheduler.river_leader import RiverLeadership
from support import handlers
from support.announced import announcements
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.jobs import insert
from support.queries import value
from support.river_peer import RiverPeer, needs_peer, river_peer
from support.scheduler_process import SchedulerProcess
from support.schedulers import running_scheduler, term_of, ticked

pytestmark = needs_peer

Connection = AsyncConnection[TupleRow]

HOLDER = "SELECT (SELECT leader_id FROM river_leader WHERE expires_at >= now())"


def gone(conn: Connection, job_id: int, state: str) -> Callable[[], Awaitable[Any]]:
    """Return a question whether the job has that state."""
    return lambda: value(conn, f"SELECT state = '{state}' FROM river_job WHERE id = {job_id}")


async def ours_leads(conn: Connection) -> bool:
    return str(await value(conn, HOLDER)).startswith("riverrun:")


async def theirs_leads(conn: Connection) -> bool:
    return bool(await value(conn, HOLDER) == "go-client")


async def test_notification_payload_bytes(client: AsyncClient, peer: RiverPeer, database: str) -> None:
    await peer.ask("start", queues={"one": 1}, client_id="go-client", poll_ms=60_000)
    async with announcements(database) as heard:

        async def told(action: Awaitable[Any]) -> list[tuple[str, str]]:
            await action
            return await heard()

        await heard()
        theirs = await told(peer.ask("insert", kind="raw", args={}, queue="two"))
        ours = await told(client.enqueue("raw", {}, queue="two"))
        assert ours == theirs
        theirs = await told(peer.ask("cancel", job_id=1))
        ours = await told(client.cancel(2))
        assert [(channel, text.replace(" 2", " 1")) for channel, text in ours] == theirs
        for action, method in (("queue_pause", client.pause_queue), ("queue_resume", client.resume_queue)):
            theirs = await told(peer.ask(action, name="one"))
            assert await told(method("one")) == theirs
        theirs = await told(peer.ask("queue_update", name="one", queue_metadata={"owner": "ä <b>"}))
        assert await told(client.run(operations.set_queue_metadata("one", {"owner": "ä <b>"}))) == theirs
        # Whoever leads answers that it has resigned, now or while the next request is on its way.
        theirs = [note for note in await told(peer.ask("request_resign")) if "request_resign" in note[1]]
        ours = [note for note in await told(client.run(operations.request_resign())) if "request_resign" in note[1]]
        assert ours == theirs


async def test_notification_payload_bytes_of_a_leader_that_stops(
    peer: RiverPeer, conn: Connection, database: str
) -> None:
    await peer.ask("start", queues={"one": 1}, client_id="go-client", poll_ms=60_000)
    await eventually(lambda: theirs_leads(conn), within=20)
    async with announcements(database) as heard, term_of(settings_for(database)) as term:
        await peer.ask("stop")
        ((topic, theirs),) = await heard()
        river = RiverLeadership(term)
        await river.step(await term.pulse())

        await river.resign()

        assert await heard() == [(topic, theirs.replace("go-client", term.leader_id))]


async def test_remote_cancel_notification_sent_to_go(client: AsyncClient, peer: RiverPeer, conn: Connection) -> None:
    await peer.ask("start", queues={"go": 1}, poll_ms=60_000)
    job = (await client.enqueue("peer_work", {"do": "sleep", "millis": 60_000}, queue="go")).job
    await eventually(gone(conn, job.id, "running"), within=10)

    await client.cancel(job.id)

    await eventually(gone(conn, job.id, "cancelled"), within=10)
    assert (await client.get(job.id)).errors[-1].error == "JobCancelError: job cancelled remotely"


async def test_remote_cancel_notification_sent_by_go(
    client: AsyncClient, peer: RiverPeer, conn: Connection, database: str
) -> None:
    job = (await client.enqueue("gate", {})).job
    async with running_executor(settings_for(database)):
        await eventually(gone(conn, job.id, "running"), within=10)

        assert (await peer.ask("cancel", job_id=job.id))["state"] == "running"

        await eventually(gone(conn, job.id, "cancelled"), within=10)
    assert (await peer.get(job.id))["errors"][-1]["error"] == "JobCancelError: job cancelled remotely"


async def test_transactional_cross_language_cancel(
    client: AsyncClient, peer: RiverPeer, conn: Connection, database: str
) -> None:
    await peer.ask("start", queues={"go": 1}, poll_ms=60_000)
    job = (await client.enqueue("peer_work", {"do": "sleep", "millis": 60_000}, queue="go")).job
    await eventually(gone(conn, job.id, "running"), within=10)

    async with await AsyncConnection.connect(database) as own:
        await client.cancel(job.id, conn=own)
        assert (await peer.get(job.id))["state"] == "running"
        await own.commit()

    await eventually(gone(conn, job.id, "cancelled"), within=10)


async def test_pause_resume_notification(client: AsyncClient, peer: RiverPeer, conn: Connection) -> None:
    await peer.ask("start", queues={"go": 1}, poll_ms=200)
    await client.pause_queue("go")
    await eventually(lambda: any(event["event"] == "queue_paused" for event in peer.events), within=10)
    job = (await client.enqueue("peer_work", {}, queue="go")).job

    assert not await _within(1.0, gone(conn, job.id, "completed"))
    await client.resume_queue("go")

    await eventually(gone(conn, job.id, "completed"), within=10)


async def test_remote_queue_subscription_events(client: AsyncClient, peer: RiverPeer) -> None:
    await peer.ask("start", queues={"go": 1}, poll_ms=60_000)

    await client.pause_queue("go")
    await client.resume_queue("*")

    told = [("queue_paused", "go"), ("queue_resumed", "go")]
    await eventually(lambda: [(event["event"], event["queue"]) for event in peer.events] == told, within=10)


async def test_remote_queue_subscription_events_as_we_hear_of_theirs(
    client: AsyncClient, peer: RiverPeer, conn: Connection
) -> None:
    await peer.ask("start", queues={"go": 1}, poll_ms=60_000)
    told: list[EventKind] = []

    async def listen() -> None:
        async for event in client.subscribe(["queue_paused", "queue_resumed"]):
            told.append(event.kind)  # noqa: PERF401 - the test looks at the list while it grows

    listening = asyncio.create_task(listen(), name="listening")
    heard = "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'riverrun/client/events'"
    await eventually(lambda: value(conn, f"{heard} AND query LIKE '%shared%'"), within=10)

    for action in ("pause", "pause", "resume", "resume", "pause", "resume"):
        await peer.ask(f"queue_{action}", name="*")

    await eventually(lambda: told == [EventKind.QUEUE_PAUSED, EventKind.QUEUE_RESUMED] * 2, within=10)
    listening.cancel()


async def test_remote_queue_pause_stops_our_executor(
    client: AsyncClient, peer: RiverPeer, conn: Connection, database: str
) -> None:
    async with running_executor(settings_for(database)):
        await eventually(lambda: value(conn, "SELECT count(*) = 1 FROM river_queue"), within=10)
        await peer.ask("queue_pause", name="*")
        job = (await client.enqueue("noop", {})).job
        assert not await _within(1.0, gone(conn, job.id, "completed"))

        await peer.ask("queue_resume", name="*")

        await eventually(gone(conn, job.id, "completed"), within=10)


async def test_differential_queue_crud(client: AsyncClient, peer: RiverPeer, conn: Connection) -> None:
    await peer.ask("start", queues={"go": 1}, poll_ms=200)

    await client.run(operations.set_queue_metadata("go", {"owner": "us"}))

    kept = (await peer.ask("queue_get", name="go"))["Metadata"]  # bytes, as Go writes them into JSON
    assert json.loads(base64.b64decode(kept)) == {"owner": "us"}
    await peer.ask("queue_update", name="go", queue_metadata={"owner": "them"})
    assert await value(conn, "SELECT metadata ->> 'owner' FROM river_queue") == "them"


async def test_dynamic_queue_add_reconfigure_remove(client: AsyncClient, peer: RiverPeer, conn: Connection) -> None:
    await peer.ask("start", queues={"first": 1}, poll_ms=200)
    job = (await client.enqueue("peer_work", {}, queue="second")).job

    await peer.ask("queue_add", name="second", max=1)

    await eventually(gone(conn, job.id, "completed"), within=10)


async def test_mixed_leader_failover_both_directions(database: str, conn: Connection, peer: RiverPeer) -> None:
    async with running_scheduler(settings_for(database)):
        await eventually(lambda: ours_leads(conn), within=10)
        await peer.ask("start", queues={"go": 1}, client_id="go-client")
        assert await ours_leads(conn)

    await eventually(lambda: theirs_leads(conn), within=10)
    async with running_scheduler(settings_for(database)):
        await eventually(lambda: ours_leads(conn), within=20)


async def test_mixed_leader_death_failover_both_directions(
    database: str, conn: Connection, peer: RiverPeer, tmp_path: Path
) -> None:
    ours = SchedulerProcess(database, server_id="dying", log=tmp_path / "dying.log")
    try:
        await eventually(lambda: ours_leads(conn), within=20)
        await peer.ask("start", queues={"go": 1}, client_id="go-client")
    finally:
        ours.close()
    await eventually(lambda: theirs_leads(conn), within=30, every=0.2)

    await peer.kill()

    async with running_scheduler(settings_for(database, leadership="lead")):
        await eventually(lambda: ours_leads(conn), within=30, every=0.2)


async def test_leadership_follow_leaves_the_row_to_go(database: str, conn: Connection, peer: RiverPeer) -> None:
    async with running_scheduler(settings_for(database, leadership="follow")):
        await peer.ask("start", queues={"go": 1}, client_id="go-client")
        await eventually(lambda: theirs_leads(conn), within=20)

        await insert(conn, state="scheduled", kind="peer_work", queue="go")

        await eventually(gone(conn, 1, "completed"), within=20)


async def test_mixed_request_resign_terms(database: str, conn: Connection, peer: RiverPeer) -> None:
    term = "SELECT elected_at FROM river_leader"
    async with running_scheduler(settings_for(database)):
        await eventually(lambda: ours_leads(conn), within=10)
        before = await value(conn, term)

        await peer.ask("request_resign")

        await eventually(lambda: _changed(conn, term, before), within=10)
        await eventually(lambda: ours_leads(conn), within=20)


async def test_leader_election_disabled_both_directions(database: str, conn: Connection, peer: RiverPeer) -> None:
    await peer.ask("start", queues={"go": 1}, client_id="go-client")
    await eventually(lambda: theirs_leads(conn), within=20)

    async with running_scheduler(settings_for(database, leadership="off")):
        await insert(conn, state="scheduled", kind="noop")
        await eventually(gone(conn, 1, "available"), within=10)

    assert await theirs_leads(conn)


async def test_a_long_job_of_ours_outlives_the_rescuer_of_go(
    client: AsyncClient, database: str, conn: Connection, peer: RiverPeer
) -> None:
    await peer.ask("start", queues={"go": 1}, client_id="go-client", rescue_ms=6_000, job_timeout_ms=1_000)
    await eventually(lambda: theirs_leads(conn), within=20)
    unprotected = (
        "INSERT INTO river_job (state, kind, args, attempt, attempted_at) VALUES ('running', 'gate', '{}', 1, now())"
    )
    await conn.execute(unprotected.encode())
    job = (await client.enqueue("gate", {})).job
    settings = settings_for(database, leadership="follow", job_timeout=-1, rescue_stuck_jobs_after=timedelta(seconds=6))
    async with running_executor(settings):
        await eventually(gone(conn, job.id, "running"), within=10)

        await eventually(gone(conn, 1, "discarded"), within=45, every=0.2)

        assert (await client.get(job.id)).state == JobState.RUNNING
        handlers.gate.open()
        await eventually(gone(conn, job.id, "completed"), within=10)


async def test_candidate_process_kill_reference_rescue(conn: Connection, peer: RiverPeer) -> None:
    long_ago = "now() - interval '2 hours'"
    await conn.execute(
        "INSERT INTO river_job (state, kind, args, queue, attempt, attempted_at, attempted_by)"
        f" VALUES ('running', 'peer_work', '{{}}', 'go', 1, {long_ago}, ARRAY['host_1_0123abcd'])".encode()
    )

    await peer.ask("start", queues={"go": 1}, client_id="go-client")

    await eventually(lambda: value(conn, "SELECT metadata ->> 'river:rescue_count' = '1' FROM river_job"), within=45)


async def test_reference_process_kill_candidate_rescue(client: AsyncClient, database: str, conn: Connection) -> None:
    async with river_peer(database) as dying:
        await dying.ask("start", queues={"go": 1}, client_id="go-client", poll_ms=100)
        job = (await client.enqueue("peer_work", {"do": "sleep", "millis": 60_000}, queue="go")).job
        await eventually(gone(conn, job.id, "running"), within=10)
        await dying.kill()

    settings = settings_for(database, rescue_stuck_jobs_after=timedelta(seconds=1), job_timeout=timedelta(seconds=1))
    async with running_scheduler(settings):
        await eventually(gone(conn, job.id, "retryable"), within=45, every=0.2)

    assert (await client.get(job.id)).metadata["river:rescue_count"] == 1


async def test_external_terminal_completion_race(
    client: AsyncClient, peer: RiverPeer, conn: Connection, database: str
) -> None:
    job = (await client.enqueue("gate", {})).job
    async with running_executor(settings_for(database)):
        await eventually(gone(conn, job.id, "running"), within=10)
        await conn.execute("UPDATE river_job SET state = 'discarded', finalized_at = now()")
        handlers.gate.open()
        await asyncio.sleep(0)

    after = await peer.get(job.id)
    assert after["state"] == "discarded"


@pytest.mark.parametrize("first", ["go", "default"])
async def test_resumable_cross_engine_cursor(
    client: AsyncClient, peer: RiverPeer, conn: Connection, database: str, first: str
) -> None:
    # An attempt that fails hands the job over to the other engine, which works on the other queue.
    await conn.execute(
        "CREATE FUNCTION hand_over() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN NEW.queue := CASE NEW.queue WHEN 'go' THEN 'default' ELSE 'go' END; RETURN NEW; END $$"
    )
    await conn.execute(
        "CREATE TRIGGER hand_over BEFORE UPDATE ON river_job FOR EACH ROW"
        " WHEN (OLD.state = 'running' AND NEW.state IN ('available', 'retryable')) EXECUTE FUNCTION hand_over()"
    )
    await peer.ask("start", queues={"go": 1}, client_id="go-client", poll_ms=100)

    async with running_executor(settings_for(database)):
        job = (await client.enqueue("peer_work", {"do": "resumable"}, queue=first)).job
        await eventually(gone(conn, job.id, "completed"), within=30)

    done = await client.get(job.id)
    assert [error.error for error in done.errors if "seven" not in error.error] == []
    assert (done.attempt, done.metadata["output"]) == (2, {"at": 7})
    assert [name == "go-client" for name in done.attempted_by] == [first == "go", first != "go"]
    assert done.metadata["river:resumable_step"] == "first"


@pytest.mark.parametrize("ours_first", [True, False])
async def test_periodic_unique_cross_engine(
    client: AsyncClient, database: str, conn: Connection, peer: RiverPeer, *, ours_first: bool
) -> None:
    args = {"b": [1, {"x": None}], "a": "ä"}
    await client.add_schedule(
        "nightly", "report", cron="@yearly", args=args, queue="reports", run_on_start=True, unique=Unique(by_args=True)
    )
    job = {"kind": "report", "args": args, "queue": "reports"}
    plan = {"cron": "0 0 1 1 *", "run_on_start": True}
    periodic = [
        {**plan, "id": "nightly", "job": {**job, "unique": {"by_args": True}}},
        {**plan, "id": "marker", "job": {**job, "kind": "marker"}},
    ]

    async def ours() -> None:
        async with term_of(settings_for(database, leadership="off")) as term:
            await ticked(term)

    async def theirs() -> None:
        await peer.ask("start", queues={"go": 1}, client_id="go-client", periodic=periodic)
        await eventually(lambda: value(conn, "SELECT count(*) = 1 FROM river_job WHERE kind = 'marker'"), within=20)

    for engine in (ours, theirs) if ours_first else (theirs, ours):
        await engine()

    (report,) = (await client.list(kind=["report"])).jobs
    assert (report.args, report.metadata["river:periodic_job_id"]) == (args, "nightly")
    assert await value(conn, "SELECT count(*) FROM riverrun_schedule_tick") == 1


async def _within(seconds: float, predicate: Callable[[], Awaitable[Any]]) -> bool:
    try:
        await eventually(predicate, within=seconds)
    except AssertionError:
        return False
    return True


async def _changed(conn: Connection, query: str, before: object) -> bool:
    return bool(await value(conn, query) != before)
