"""Sessions that write the same jobs at the same time: they wait for each other, and never in a circle."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from fault.lab import size
from riverrun.claimed_job import ClaimedJob
from riverrun.database.statements import Statements
from riverrun.store import attempts
from riverrun_executor.floors import NOWHERE

JOBS, SESSIONS = 400, 3


def test_sessions_that_write_the_same_jobs_in_any_order_never_deadlock(database: str) -> None:
    """D17: bulk writes that overlap, each in an order of its own."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("INSERT INTO river_job (kind, args) SELECT 'work', '{}' FROM generate_series(1, %s)", (JOBS,))
        steps = attempts.claim(
            "default", slots=JOBS, incarnation="a_1_00000000", floors_us=NOWHERE.us, floor_ids=NOWHERE.ids
        )
        jobs = Statements().run_sync(conn, steps)

    with ThreadPoolExecutor(SESSIONS) as sessions:
        written = list(sessions.map(lambda seed: _write(database, jobs, seed), range(SESSIONS)))

    assert written == [JOBS * size(6, 50)] * SESSIONS


def _write(database: str, jobs: list[ClaimedJob], seed: int) -> int:
    """Write notes to all jobs, each time in another order, and return how many were written."""
    order = random.Random(seed)
    written = 0
    conn: psycopg.Connection[tuple[Any, ...]]
    with psycopg.connect(database, autocommit=True) as conn:
        for turn in range(size(6, 50)):
            notes = [(job, f'{{"note":{turn}}}') for job in order.sample(jobs, len(jobs))]
            written += len(Statements().run_sync(conn, attempts.note(notes, "a_1_00000000")))
    return written
