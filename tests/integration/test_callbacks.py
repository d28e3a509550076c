"""Jobs that a service ends after it has answered: by the token that came with the request, once, while they run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from copy import copy
from datetime import timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

import riverrun
from riverrun import AsyncClient, Context, Event, Job, JobState
from riverrun.events import EventKind
from riverrun.outcome import Cancelled, Completed, Failed, Outcome, Snoozed
from riverrun.registration import registration
from riverrun.store import attempts, registry
from riverrun.webhook import Fence, callback_token, token_fence
from support.admin import Admin, Answer, running_admin
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import RunningExecutor, running_executor
from support.http_server import FaultServer, Received, Script, fault_server
from support.jobs import ago, insert
from support.queries import value

WITHIN = 20.0
TOKEN = "Job-Callback-Token"


class Later:
    """A service that answers at once and says the rest later."""

    def __init__(self, client: AsyncClient, admin: Admin, service: FaultServer, executor: RunningExecutor) -> None:
        self.client = client
        self.admin = admin
        self.service = service
        self.executor = executor

    @property
    def posted(self) -> list[Received]:
        """Return the jobs that the service was given, in their order; what it is told of their ends is left out."""
        return [request for request in self.service.received if request.path == "/handle"]

    async def accepted(self) -> tuple[int, str]:
        """Enqueue a job, wait until the service has it, and return its id and its token."""
        job = (await self.client.enqueue("call", {})).job
        await eventually(lambda: self.posted, within=WITHIN)
        request = self.posted[-1]
        assert request.headers["Job-Id"] == str(job.id)
        return job.id, request.headers[TOKEN]

    async def say(self, job_id: int, token: str, *, key: str | None = None, **said: Any) -> Answer:
        headers = {TOKEN: token} | ({} if key is None else {"Idempotency-Key": key})
        return await self.admin.post(f"/admin/queue/callback/{job_id}", said, headers=headers)

    async def freed(self) -> None:
        """Wait until the executor holds nothing any more."""
        await eventually(lambda: not self.executor.executor.held(), within=WITHIN)

    async def refresh(self, *, answer_is_lost: bool = False) -> None:
        """Make what runs look young, as executors do while a client of River leads."""
        running = [copy(job) if answer_is_lost else job for job in self.executor.executor.running_for(0)]
        await self.client.run(attempts.refresh(running, self.executor.context.incarnation, older_than=timedelta()))

    async def job(self, job_id: int) -> Job:
        return await self.client.get(job_id)


@pytest.fixture
async def go_leads(conn: AsyncConnection[TupleRow]) -> None:
    """Let a client of River hold the leader row."""
    await insert(conn, "river_leader", leader_id="go", elected_at=ago("1 second"), expires_at=ago("-60 seconds"))


class Heard:
    """What hooks and listeners of the executor were told.

    Attributes:
        ends: The outcomes that end hooks were given.
        events: The events.
    """

    def __init__(self) -> None:
        self.ends: list[Outcome] = []
        self.events: list[Event] = []

    def see_end(self, ctx: Context, outcome: Outcome) -> None:
        """Be the hook."""
        self.ends.append(outcome)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Register hooks for the executor that begins after it."""
    monkeypatch.setattr("riverrun.extensions._registered", {})
    heard = Heard()
    riverrun.on_end("call")(heard.see_end)
    riverrun.on_event()(heard.events.append)
    return heard


@pytest.fixture
async def later(database: str) -> AsyncIterator[Later]:
    settings = settings_for(database)
    async with (
        AsyncClient(database) as client,
        fault_server() as service,
        running_admin(database) as admin,
    ):
        service.script = Script(status=202, headers={"Job-Async": "60"})
        calls = {"cancel_url": service.url("/cancel")}
        said = registration("call", "Call", "http", endpoint_url=service.url(), timeout=0.5, settings=calls)
        await client.run(registry.register(said))
        async with running_executor(settings) as executor:
            yield Later(client, admin, service, executor)


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


async def test_tokens_that_were_forged_or_made_for_others_change_nothing(later: Later) -> None:
    job_id, token = await later.accepted()
    fence = token_fence(token)
    assert fence is not None
    forged = [
        "",
        "nonsense",
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        callback_token("another key", fence),
        callback_token("another key", Fence(job_id + 1, fence.attempt, fence.fence_us)),
        f"{job_id}.{fence.attempt + 1}.{token.split('.', 2)[2]}",
    ]

    answers = [await later.say(job_id, each, t="complete") for each in forged]
    elsewhere = await later.say(job_id + 1, token, t="complete")

    assert [answer.status for answer in (*answers, elsewhere)] == [403] * 7
    assert (await later.job(job_id)).state == JobState.RUNNING


async def test_a_service_that_sends_the_key_back_that_it_was_given_is_heard_each_time(later: Later) -> None:
    job_id, token = await later.accepted()
    key = later.posted[-1].headers["Idempotency-Key"]
    (waiting,) = later.executor.executor._services._callbacks._waiting.values()

    beats = [await later.say(job_id, token, key=key, t="heartbeat") for _ in range(2)]
    await eventually(lambda: waiting.beats == 2, within=WITHIN)
    first = await later.say(job_id, token, key=key, t="fail", delay_s=0)
    await eventually(lambda: len(later.posted) == 2, within=WITHIN)
    late = await later.say(job_id, token, key=key, t="fail", delay_s=0)
    second = await later.say(job_id, later.posted[-1].headers[TOKEN], key=key, t="fail", delay_s=0)
    await eventually(lambda: len(later.posted) == 3, within=WITHIN)

    answers = (*beats, first, late, second)
    assert [answer.status for answer in answers] == [200, 200, 200, 409, 200]
    assert not any("Idempotency-Replayed" in answer.headers for answer in answers)
    assert (await later.job(job_id)).attempt == 3


async def test_nothing_is_read_from_a_sender_whose_token_is_forged_or_over(later: Later) -> None:
    job_id, token = await later.accepted()
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")

    async def without_end() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async def answer_to(text: str) -> Answer:
        headers = {TOKEN: text, "Content-Type": "application/json", "Idempotency-Key": f"job_{job_id}"}
        sent = later.admin.request("POST", f"/admin/queue/callback/{job_id}", data=without_end(), headers=headers)
        return await asyncio.wait_for(sent, WITHIN)

    refused = await answer_to(forged)
    await later.say(job_id, token, t="complete")
    over = await answer_to(token)

    assert (refused.status, over.status) == (403, 409)


async def test_a_token_of_an_attempt_that_is_over_comes_too_late(later: Later) -> None:
    job_id, token = await later.accepted()
    await later.say(job_id, token, t="fail", delay_s=0)
    await eventually(lambda: len(later.posted) == 2, within=WITHIN)

    late = await later.say(job_id, token, t="complete")
    now = await later.say(job_id, later.posted[-1].headers[TOKEN], t="complete")

    assert (late.status, now.status) == (409, 200)
    assert (await later.job(job_id)).attempt == 2


@pytest.mark.usefixtures("go_leads")
@pytest.mark.parametrize("answer_is_lost", [False, True])
async def test_a_service_speaks_for_an_attempt_that_was_made_to_look_young(
    later: Later, *, answer_is_lost: bool
) -> None:
    job_id, token = await later.accepted()
    before = (await later.job(job_id)).attempted_at
    for _ in range(2):
        await later.refresh(answer_is_lost=answer_is_lost)
    (waiting,) = later.executor.executor._services._callbacks._waiting.values()

    said = await later.say(job_id, token, t="progress", pct=40)
    await eventually(lambda: waiting.beats == 1, within=WITHIN)
    held = later.executor.executor.held()
    done = await later.say(job_id, token, t="complete")
    await later.freed()

    job = await later.job(job_id)
    assert (said.status, held, done.status) == (200, {job_id}, 200)
    assert (job.state, job.attempt) == (JobState.COMPLETED, 1)
    assert job.attempted_at != before


@pytest.mark.usefixtures("go_leads")
async def test_a_token_does_not_fit_a_later_attempt_of_the_same_number(later: Later) -> None:
    job_id, token = await later.accepted()
    await later.refresh()
    await later.say(job_id, token, t="result", outcome="snooze", delay_s=0)
    await eventually(lambda: len(later.posted) == 2, within=WITHIN)

    late = await later.say(job_id, token, t="complete")
    now = await later.say(job_id, later.posted[-1].headers[TOKEN], t="complete")

    assert (late.status, now.status) == (409, 200)
    assert (await later.job(job_id)).attempt == 1


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


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_callback_without_a_token_is_not_even_read_and_a_large_one_is_refused(later: Later) -> None:
    job_id, token = await later.accepted()
    large = {"t": "complete", "output": "x" * 1024 * 1024}

    stranger = await later.admin.post(f"/admin/queue/callback/{job_id}", large)
    refused = await later.say(job_id, token, **large)

    assert (stranger.status, refused.status) == (403, 413)
    assert (await later.job(job_id)).state == JobState.RUNNING


async def test_a_job_that_waits_for_its_service_can_be_cancelled(later: Later) -> None:
    job_id, token = await later.accepted()

    await later.client.cancel(job_id)
    await later.freed()

    async def cancelled() -> bool:
        return (await later.job(job_id)).state == JobState.CANCELLED

    await eventually(cancelled, within=WITHIN)
    assert (await later.say(job_id, token, t="complete")).status == 409


async def test_what_a_callback_may_not_say_is_refused_by_name(later: Later) -> None:
    job_id, token = await later.accepted()

    answer = await later.say(job_id, token, t="progress", pct=101)
    reserved = await later.say(job_id, token, t="complete", metadata={"river:log": []})

    assert (answer.status, answer.pointers) == (422, ["/pct"])
    assert (reserved.status, reserved.pointers) == (422, ["/metadata/river:log"])
    assert (await later.say(job_id, token, t="dance")).status == 422
    for logs in ("began", [7], ["began"] * 1_001, [{"level": "info"}]):
        refused = await later.say(job_id, token, t="complete", logs=logs)
        assert refused.status == 422
        assert all(pointer.startswith("/logs") for pointer in refused.pointers)
    assert (await later.job(job_id)).state == JobState.RUNNING


async def test_a_count_of_callbacks_that_is_not_of_ours_stops_nothing(
    later: Later, conn: AsyncConnection[TupleRow]
) -> None:
    job_id, token = await later.accepted()
    await conn.execute("""UPDATE river_job SET metadata = metadata || '{"riverrun:callbacks": 1e30}'""")

    progress = await later.say(job_id, token, t="progress", pct=10)
    complete = await later.say(job_id, token, t="complete")
    await later.freed()

    assert (progress.status, complete.status) == (200, 200)
    assert (await later.job(job_id)).state == JobState.COMPLETED


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
