"""What guards the truth when two processes want to write the same job: the fence, the order of locks, the bisection."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from fault.lab import size
from riverrun.claimed_job import ClaimedJob
from riverrun.database.statements import Statements, Steps
from riverrun.errors import StaleAttempt
from riverrun.outcome import Completed
from riverrun.store import attempts
from riverrun.transition import decide
from riverrun_executor.ending import Ending
from riverrun_executor.finalizer import Finalizer
from riverrun_executor.floors import NOWHERE
from riverrun_executor.slots import Slots

pytestmark = pytest.mark.quick

JOBS, SESSIONS = 400, 3
EXECUTOR = "a_1_00000000"


def claimed(conn: psycopg.Connection[Any], count: int) -> list[ClaimedJob]:
    """Enqueue jobs and claim them."""
    conn.execute("INSERT INTO river_job (kind, args) SELECT 'work', '{}' FROM generate_series(1, %s)", (count,))
    steps = attempts.claim("default", slots=count, incarnation=EXECUTOR, floors_us=NOWHERE.us, floor_ids=NOWHERE.ids)
    return Statements().run_sync(conn, steps)


async def nothing(_: psycopg.AsyncConnection[Any]) -> None:
    """Have nothing to do on a new connection."""


def states(conn: psycopg.Connection[Any]) -> list[str]:
    return [row[0] for row in conn.execute("SELECT state::text FROM river_job ORDER BY id")]


@pytest.mark.parametrize(
    "newer",
    ["attempt = 2", "attempted_at = now()", "attempted_by = attempted_by || '{b_1_00000000}'"],
    ids=["number", "start", "executor"],
)
@pytest.mark.parametrize("statement", ["complete", "finalize", "complete_in", "save_in", "note"])
def test_a_stale_attempt_writes_nothing_whichever_part_of_its_fence_has_changed(
    database: str, newer: str, statement: str
) -> None:
    """The job was given back and claimed again while its first attempt still believes to have it."""
    with psycopg.connect(database, autocommit=True) as conn:
        (job,) = claimed(conn, 1)
        conn.execute(f"UPDATE river_job SET {newer}".encode())

        with suppress(StaleAttempt):
            assert not Statements().run_sync(conn, writes(job)[statement])

        assert states(conn) == ["running"]
        assert conn.execute("SELECT metadata FROM river_job").fetchall() == [({},)]


def writes(job: ClaimedJob) -> dict[str, Steps[Any]]:
    """Return all that an attempt may write to its job."""
    final = decide(job, Completed(), rng=random.Random(1))
    return {
        "complete": attempts.complete([job], EXECUTOR),
        "finalize": attempts.finalize([(job, final)], EXECUTOR),
        "complete_in": attempts.complete_in(job, EXECUTOR, '{"written": 1}'),
        "save_in": attempts.save_in(job, EXECUTOR, '{"written": 1}'),
        "note": attempts.note([(job, '{"written": 1}')], EXECUTOR),
    }


def test_sessions_that_write_the_same_jobs_in_any_order_never_deadlock(database: str) -> None:
    """D17: bulk writes that overlap, each in an order of its own."""
    with psycopg.connect(database, autocommit=True) as conn:
        jobs = claimed(conn, JOBS)

    with ThreadPoolExecutor(SESSIONS) as sessions:
        written = list(sessions.map(lambda seed: _write(database, jobs, seed), range(SESSIONS)))

    assert written == [JOBS * size(6, 50)] * SESSIONS


async def test_one_result_that_cannot_be_stored_takes_no_other_with_it(database: str) -> None:
    """P1: a batch with one bad row is halved until the bad one is alone."""
    with psycopg.connect(database, autocommit=True) as conn:
        jobs = claimed(conn, 20)
        finalizer = Finalizer(
            dsn=database, statements=Statements(), incarnation=EXECUTOR, server_id="a", slots=Slots(20),
            durable=True, recover=nothing, written=lambda _ending, _state: None,
        )  # fmt: skip
        for number, job in enumerate(jobs):
            finalizer.add(Ending(job, Completed(), '{"output":"\\u0000"}' if number == 7 else '{"output":1}', 0.0))

        task = asyncio.create_task(finalizer.run(), name="finalizer")
        left = await finalizer.drain(timedelta(seconds=10))
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

        assert left == 0
        found = states(conn)
        assert found.pop(7) in {"available", "retryable"}
        assert found == ["completed"] * 19


def _write(database: str, jobs: list[ClaimedJob], seed: int) -> int:
    """Write notes to all jobs, each time in another order, and those again that others held; return how many."""
    order = random.Random(seed)
    written = 0
    conn: psycopg.Connection[tuple[Any, ...]]
    with psycopg.connect(database, autocommit=True) as conn:
        for turn in range(size(6, 50)):
            notes = [(job, f'{{"note":{turn}}}') for job in order.sample(jobs, len(jobs))]
            while notes:
                done = Statements().run_sync(conn, attempts.note(notes, EXECUTOR))
                notes = [(job, patch) for job, patch in notes if job.id not in done]
                written += len(done)
    return written
