"""Who may end a job by callback, and what may be said: by the token of its request, once, while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import JobState
from riverrun.webhook import Fence, callback_token, token_fence
from support.admin import Answer
from support.callbacks import TOKEN, WITHIN, Later
from support.eventually import eventually


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


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_callback_without_a_token_is_not_even_read_and_a_large_one_is_refused(later: Later) -> None:
    job_id, token = await later.accepted()
    large = {"t": "complete", "output": "x" * 1024 * 1024}

    stranger = await later.admin.post(f"/admin/queue/callback/{job_id}", large)
    refused = await later.say(job_id, token, **large)

    assert (stranger.status, refused.status) == (403, 413)
    assert (await later.job(job_id)).state == JobState.RUNNING


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
