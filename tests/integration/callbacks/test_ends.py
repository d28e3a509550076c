"""Jobs that a service ends after it has answered: what becomes of them, of their logs, and who hears of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from riverrun import JobState
from riverrun.events import EventKind
from riverrun.outcome import Cancelled, Completed, Failed, Outcome, Snoozed
from support.callbacks import WITHIN, Heard, Later
from support.eventually import eventually
from support.http_server import Script
from support.queries import value


async def test_a_service_completes_its_job_later_once_and_long_after_the_time_limit(later: Later) -> None:
    job_id, token = await later.accepted()

    running = await later.say(job_id, token, t="progress", pct=40, note="half-way")
    logged = await later.say(job_id, token, t="log", msg="the first line")
    done = await later.say(job_id, token, t="complete", output={"pages": 3}, metadata={"shelf": "B"})
    again = await later.say(job_id, token, t="complete", output={"pages": 4})
    await later.freed()

    assert [answer.status for answer in (running, logged, done, again)] == [200, 200, 200, 409]
    assert (running.json["state"], done.json["state"]) == ("running", "completed")
    job = await later.job(job_id)
    assert (job.state, job.attempt, job.errors) == (JobState.COMPLETED, 1, ())
    assert (job.metadata["output"], job.metadata["shelf"]) == ({"pages": 3}, "B")
    assert job.metadata["riverrun:progress"] == {"fraction": 0.4, "note": "half-way"}
    (entry,) = job.metadata["river:log"]
    assert entry["attempt"] == 1
    assert entry["log"].endswith("INFO the first line\n")


@pytest.mark.parametrize("end", [True, False], ids=["with the end", "while it runs"])
async def test_a_line_leaves_the_logs_of_earlier_attempts_where_they_are(
    conn: AsyncConnection[TupleRow], later: Later, end: bool
) -> None:
    long = [{"attempt": number, "log": f"{number}" * 2**20} for number in (-2, -1, 0)]
    job_id, token = await later.accepted()
    await conn.execute("UPDATE river_job SET metadata = metadata || %s", (Jsonb({"river:log": long}),))

    answer = await later.say(
        job_id, token, **({"t": "complete", "logs": ["bye"]} if end else {"t": "log", "msg": "bye"})
    )

    kept = (await later.job(job_id)).metadata["river:log"]
    assert answer.status == 200
    assert kept[:3] == long
    assert (kept[3]["attempt"], kept[3]["log"].endswith("INFO bye\n")) == (1, True)


async def test_beyond_8_mib_the_logs_of_the_oldest_attempts_make_room(
    conn: AsyncConnection[TupleRow], later: Later
) -> None:
    long = [{"attempt": number, "log": "x" * 3 * 2**20} for number in (-2, -1, 0)]
    job_id, token = await later.accepted()
    await conn.execute("UPDATE river_job SET metadata = metadata || %s", (Jsonb({"river:log": long}),))

    await later.say(job_id, token, t="log", msg="the newest")

    kept = (await later.job(job_id)).metadata["river:log"]
    assert [entry["attempt"] for entry in kept] == [-1, 0, 1]


async def test_an_end_leaves_log_lines_behind_those_that_came_before_and_none_shows_a_secret(later: Later) -> None:
    job_id, token = await later.accepted()
    logs = ["began", {"level": "warning", "msg": "slow: password=sesame"}]

    await later.say(job_id, token, t="log", msg="before: token=sesame")
    done = await later.say(job_id, token, t="result", outcome="discard", logs=logs, metadata={"shelf": "B"})
    await later.freed()

    job = await later.job(job_id)
    (entry,) = job.metadata["river:log"]
    assert (done.status, job.state, job.metadata["shelf"]) == (200, JobState.DISCARDED, "B")
    assert [line.split()[1:3] for line in entry["log"].splitlines()] == [
        ["INFO", "before:"],
        ["INFO", "began"],
        ["WARNING", "slow:"],
    ]
    assert "sesame" not in entry["log"]


@pytest.mark.parametrize(
    ("said", "state", "attempt"),
    [
        ({"t": "fail", "error": {"type": "Full", "message": "no room"}, "delay_s": 60}, JobState.RETRYABLE, 1),
        ({"t": "result", "outcome": "snooze", "delay_s": 60}, JobState.SCHEDULED, 0),
        ({"t": "result", "outcome": "discard", "error": {"message": "no such page"}}, JobState.DISCARDED, 1),
        ({"t": "result", "outcome": "cancel"}, JobState.CANCELLED, 1),
    ],
)
async def test_a_service_says_later_how_its_job_ended(
    later: Later, said: dict[str, Any], state: JobState, attempt: int
) -> None:
    job_id, token = await later.accepted()

    answer = await later.say(job_id, token, **said)
    await later.freed()

    job = await later.job(job_id)
    assert (answer.status, answer.json["state"]) == (200, state)
    assert (job.state, job.attempt) == (state, attempt)


async def test_a_service_that_falls_silent_has_its_job_retried(later: Later) -> None:
    later.service.script = Script(status=202, headers={"Job-Async": "1"})
    job_id, _ = await later.accepted()

    async def failed() -> bool:
        return bool((await later.job(job_id)).errors)

    await eventually(failed, within=WITHIN)

    assert (await later.job(job_id)).errors[0].error == "the service was not heard of for 1 s"


async def test_every_sign_of_life_begins_the_lease_anew(later: Later) -> None:
    later.service.script = Script(status=202, headers={"Job-Async": "1"})
    job_id, token = await later.accepted()

    for _ in range(12):  # three times as long as a service may be silent
        await asyncio.sleep(1.0)
        assert (await later.say(job_id, token, t="heartbeat")).status == 200
    done = await later.say(job_id, token, t="complete")

    assert done.status == 200
    assert ((await later.job(job_id)).attempt, len(later.posted)) == (1, 1)


async def test_a_job_that_waits_for_its_service_can_be_cancelled(later: Later) -> None:
    job_id, token = await later.accepted()

    await later.client.cancel(job_id)
    await later.freed()

    async def cancelled() -> bool:
        return (await later.job(job_id)).state == JobState.CANCELLED

    await eventually(cancelled, within=WITHIN)
    assert (await later.say(job_id, token, t="complete")).status == 409


@pytest.mark.parametrize(
    ("said", "outcome", "told"),
    [
        ({"t": "complete"}, Completed(), EventKind.COMPLETED),
        (
            {"t": "fail", "error": {"message": "no room"}, "delay_s": 60},
            Failed("no room", error_type="callback"),
            EventKind.FAILED,
        ),
        (
            {"t": "result", "outcome": "discard", "error": {"message": "no page"}},
            Failed("no page", error_type="callback"),
            EventKind.FAILED,
        ),
        (
            {"t": "result", "outcome": "cancel", "error": {"message": "no"}},
            Cancelled("no", error_type="callback"),
            EventKind.CANCELLED,
        ),
        ({"t": "result", "outcome": "snooze", "delay_s": 60}, Snoozed(timedelta()), EventKind.SNOOZED),
    ],
)
async def test_hooks_hear_how_a_service_has_ended_its_job_and_the_service_is_not_called_off(
    heard: Heard, later: Later, said: dict[str, Any], outcome: Outcome, told: EventKind
) -> None:
    job_id, token = await later.accepted()

    await later.say(job_id, token, **said)
    await eventually(lambda: heard.ends and heard.events, within=WITHIN)
    await later.executor.drain()  # with it ends what is still to be said to services

    assert heard.ends == [outcome]
    assert [event.kind for event in heard.events] == [told]
    assert len(later.posted) == len(later.service.received) == 1


async def test_a_service_is_called_off_when_its_job_was_taken_away(
    later: Later, conn: AsyncConnection[TupleRow]
) -> None:
    await later.accepted()

    await conn.execute("UPDATE river_job SET attempt = 2, attempted_by = attempted_by || '{elsewhere}'::text[]")
    await later.freed()

    await eventually(lambda: len(later.service.received) == 2, within=WITHIN)
    assert later.service.received[1].path == "/cancel"
    assert await value(conn, "SELECT state::text || attempt FROM river_job") == "running2"
