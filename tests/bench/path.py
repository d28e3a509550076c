"""How long the statements take that jobs go through, and what they make the server do, on a database of any size.

Each is measured three times. *Cold*, its rows were last touched before the last checkpoint, as those of jobs that
have waited for long. *Warm*, the same was done to the same rows a moment ago and undone, so that they are in memory and
in the log: what it costs then is the statement itself. *Worn*, cold, and VACUUM has left room for one row on thousands
of pages, as where jobs anywhere in the table were changed: each row that is written then goes to a page of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
from psycopg import Connection

from bench.statements import timed
from bench.work import Watch, Work, middle
from riverrun.claimed_job import ClaimedJob
from riverrun.database.connect import session_dsn
from riverrun.database.statements import Steps
from riverrun.store import attempts, clean, promote, rescue
from riverrun_executor.claimer import CLAIM_SESSION
from riverrun_executor.floors import NOWHERE
from riverrun_scheduler.promoter import MOST_JOBS
from riverrun_scheduler.session import LIMITS

T = TypeVar("T")

UNCOUNTED, COLD, WARM, WORN = 1, 7, 4, 4
BATCH = 100
RUNNING = 200
"""How many jobs run besides: as many in a small database as in a large one."""

DUE_AT_ONCE = 20_000
ME = "bench_1_0a1b2c3d"
WAITING = """
INSERT INTO river_job (kind, args, queue, priority, scheduled_at)
SELECT 'bench:more', jsonb_build_object('n', n), 'bench', 1 + n %% 4, now() - n * interval '1 millisecond'
FROM generate_series(1, %(jobs)s::bigint) AS n
"""
DUE_TOGETHER = """
INSERT INTO river_job (state, kind, args, queue, scheduled_at)
SELECT 'scheduled', 'bench:due', jsonb_build_object('n', n), 'bench', now() - interval '1 hour'
FROM generate_series(1, %s) AS n
"""
DUE_APART = """
UPDATE river_job SET scheduled_at = now() - interval '1 hour' WHERE id IN (
    SELECT id FROM river_job WHERE state IN ('scheduled', 'retryable') ORDER BY scheduled_at, id LIMIT %s
)
"""

Ask = Callable[[], Steps[T]]


@dataclass(frozen=True, slots=True)
class Sessions:
    """Connections as the executors' two and the leader's are."""

    claiming: Connection[Any]
    finalizing: Connection[Any]
    leading: Connection[Any]


def fill(url: str, waiting: int) -> None:
    """Enqueue as many jobs as are missing to have so many that wait."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("VACUUM river_job")  # new jobs fill what room there is, so that none of it is left
        conn.execute(WAITING, {"jobs": max(0, waiting - _count(conn, "state = 'available'"))})
        _settle(conn)


def path(url: str) -> dict[str, Any]:
    """Return what each statement takes for a hundred jobs, with its commit, and how large the table is."""
    with psycopg.connect(url, autocommit=True) as conn:
        _make_alike(conn)
        found: dict[str, Any] = {
            "waiting": _count(conn, "state = 'available'"),
            "finished": _count(conn, "finalized_at IS NOT NULL"),
        }
        watch = Watch(conn)
        with _sessions(url) as sessions:
            found["cold"] = _rounds(sessions, watch.work, COLD)
            found["warm"] = _rounds(sessions, _after_undoing(watch), WARM)
            found["promoted_per_second"] = {
                "together": _promoted(conn, sessions, DUE_TOGETHER),
                "apart": _promoted(conn, sessions, DUE_APART),
            }
            conn.execute("DELETE FROM river_job WHERE kind = 'bench:due'")
            _make_due(conn, UNCOUNTED + WORN)
            _settle(conn)
            found["worn"] = _rounds(sessions, watch.work, WORN)
            conn.execute("ALTER TABLE river_job RESET (autovacuum_enabled)")
    return found


Do = Callable[[Connection[Any], Ask[Any]], tuple[Work, Any]]


def _after_undoing(watch: Watch) -> Do:
    def do(conn: Connection[Any], ask: Ask[T]) -> tuple[Work, T]:
        with conn.transaction(force_rollback=True):
            timed(conn, ask())
        return watch.work(conn, ask)

    return do


def _rounds(sessions: Sessions, do: Do, repeats: int) -> dict[str, dict[str, float]]:
    """Take jobs along their way again and again, and return the middle of what each step took."""
    found: dict[str, list[Work]] = defaultdict(list)
    for number in range(UNCOUNTED + repeats):
        for name, work in _once(sessions, do).items():
            if number >= UNCOUNTED:
                found[name].append(work)
    return {name: middle(each) for name, each in found.items()}


def _once(sessions: Sessions, do: Do) -> dict[str, Work]:
    """Claim and complete a hundred jobs, lose and rescue a hundred, promote a hundred, delete a hundred."""
    leading, work = sessions.leading, {}
    work["claim"], claimed = do(sessions.claiming, _claim)
    work["complete"], _ = do(sessions.finalizing, lambda: attempts.complete(claimed, ME))
    timed(sessions.claiming, _claim())
    work["look for lost jobs"], lost = do(
        leading, lambda: rescue.lost(missing=[ME], stuck_after=timedelta(days=9), batch=BATCH)
    )
    work["rescue"], rescued = do(leading, lambda: rescue.rescue(lost, {"missing": "bench"}, generation=1))
    work["promote"], promotion = do(leading, lambda: promote.promote(1, batch=BATCH))
    work["clean"], cleaning = do(leading, lambda: clean.clean_jobs(1, {"completed": timedelta(hours=24)}, batch=BATCH))
    done = [len(claimed), len(rescued), promotion.promoted, cleaning.deleted]
    if done != [BATCH] * len(done):
        raise RuntimeError(f"each step was to be done to {BATCH} jobs, but was done to {done}")
    return work


def _claim() -> Steps[list[ClaimedJob]]:
    return attempts.claim("bench", slots=BATCH, incarnation=ME, floors_us=NOWHERE.us, floor_ids=NOWHERE.ids)


def _promoted(conn: Connection[Any], sessions: Sessions, make_due: str) -> int | None:
    """Return how many jobs a second become available when thousands are due; None where there are too few."""
    made = conn.execute(make_due.encode(), [DUE_AT_ONCE]).rowcount
    if made < DUE_AT_ONCE:
        return None
    conn.execute("CHECKPOINT")
    took = 0.0
    for _ in range(DUE_AT_ONCE // MOST_JOBS):
        milliseconds, promotion = timed(sessions.leading, promote.promote(1, batch=MOST_JOBS))
        if promotion.promoted != MOST_JOBS:
            raise RuntimeError(f"{MOST_JOBS} jobs were due, but {promotion.promoted} became available")
        took += milliseconds
    return round(DUE_AT_ONCE / took * 1000)


def _make_alike(conn: Connection[Any]) -> None:
    """Leave what does not belong to the size: so many running jobs, and so many that are due; and no room yet."""
    conn.execute("ALTER TABLE river_job SET (autovacuum_enabled = off)")
    conn.execute(
        "DELETE FROM river_job WHERE state = 'running' AND id NOT IN"
        " (SELECT id FROM river_job WHERE state = 'running' ORDER BY id LIMIT %s)",
        [RUNNING],
    )
    _make_due(conn, 2 * UNCOUNTED + COLD + WARM)
    conn.execute("ANALYZE river_job")
    conn.execute("CHECKPOINT")


def _make_due(conn: Connection[Any], rounds: int) -> None:
    conn.execute(DUE_APART, [BATCH * rounds])


def _settle(conn: Connection[Any]) -> None:
    """Leave nothing that is done only once after changes: dead rows, pages to be written."""
    conn.execute("VACUUM (ANALYZE) river_job")
    conn.execute("CHECKPOINT")


def _count(conn: Connection[Any], condition: str) -> int:
    row = conn.execute(f"SELECT count(*) FROM river_job WHERE {condition}".encode()).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _sessions(url: str) -> Iterator[Sessions]:
    with ExitStack() as stack:
        opened = [
            stack.enter_context(_connected(url, settings)) for settings in (CLAIM_SESSION, attempts.PLANS, LIMITS)
        ]
        opened[-1].execute("UPDATE riverrun_leader SET generation = 1, backend_pid = pg_backend_pid()")
        yield Sessions(*opened)


def _connected(url: str, session: dict[str, str]) -> Connection[Any]:
    return psycopg.connect(
        session_dsn(url, name="riverrun/bench", session=session), autocommit=True, prepare_threshold=0
    )
