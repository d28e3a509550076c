"""How long the statements take that jobs go through, on a database of any size."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import Connection

from bench.statements import timed
from riverrun.claimed_job import ClaimedJob
from riverrun.database.connect import session_dsn
from riverrun.database.statements import Steps
from riverrun.store import attempts, clean, promote, rescue
from riverrun_cli.bench.spread import Spread
from riverrun_executor.claimer import CLAIM_SESSION
from riverrun_executor.floors import NOWHERE
from riverrun_scheduler.session import LIMITS

REPEATS, WARM = 9, 2
BATCH = 100
RUNNING = 200
"""How many jobs run besides: as many in a small database as in a large one."""

ME = "bench_1_0a1b2c3d"
WAITING = """
INSERT INTO river_job (kind, args, queue, priority, scheduled_at)
SELECT 'bench:more', jsonb_build_object('n', n), 'bench', 1 + n %% 4, now() - n * interval '1 millisecond'
FROM generate_series(1, %(jobs)s::bigint) AS n
"""


def fill(url: str, waiting: int) -> None:
    """Enqueue as many jobs as are missing to have so many that wait."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(WAITING, {"jobs": max(0, waiting - _count(conn, "state = 'available'"))})
        conn.execute("VACUUM (ANALYZE)")
        conn.execute("CHECKPOINT")


def path(url: str) -> dict[str, Any]:
    """Return the milliseconds of each statement for a hundred jobs, with its commit, and how large the table is."""
    with psycopg.connect(url, autocommit=True) as conn:
        _make_alike(conn)
        found: dict[str, Any] = {
            "waiting": _count(conn, "state = 'available'"),
            "finished": _count(conn, "finalized_at IS NOT NULL"),
        }
    took: dict[str, list[float]] = defaultdict(list)
    with (
        _connected(url, CLAIM_SESSION) as claiming,
        _connected(url, attempts.PLANS) as finalizing,
        _connected(url, LIMITS) as leading,
    ):
        leading.execute("UPDATE riverrun_leader SET generation = 1, backend_pid = pg_backend_pid()")
        for _ in range(WARM + REPEATS):
            for name, milliseconds in _once(claiming, finalizing, leading).items():
                took[name].append(milliseconds)
    spreads = {name: Spread.of(each[WARM:]) for name, each in took.items()}
    return found | {
        "milliseconds": {
            name: {"median": round(each.median, 2), "highest": round(each.highest, 2)} for name, each in spreads.items()
        }
    }


def _make_alike(conn: Connection[Any]) -> None:
    """Leave what does not belong to the size: so many running jobs, and so many that are due."""
    conn.execute(
        "DELETE FROM river_job WHERE state = 'running' AND id NOT IN"
        " (SELECT id FROM river_job WHERE state = 'running' ORDER BY id LIMIT %s)",
        [RUNNING],
    )
    conn.execute(
        "UPDATE river_job SET scheduled_at = now() - interval '1 second' WHERE id IN"
        " (SELECT id FROM river_job WHERE state IN ('scheduled', 'retryable') ORDER BY scheduled_at LIMIT %s)",
        [BATCH * (WARM + REPEATS)],
    )
    conn.execute("VACUUM (ANALYZE) river_job")
    conn.execute("CHECKPOINT")


def _once(claiming: Connection[Any], finalizing: Connection[Any], leading: Connection[Any]) -> dict[str, float]:
    took: dict[str, float] = {}
    took["claim"], claimed = timed(claiming, _claim())
    took["complete"], _ = timed(finalizing, attempts.complete(claimed, ME))
    timed(claiming, _claim())
    took["look for lost jobs"], lost = timed(
        leading, rescue.lost(missing=[ME], stuck_after=timedelta(days=9), batch=BATCH)
    )
    took["rescue"], rescued = timed(leading, rescue.rescue(lost, {"missing": "bench"}, generation=1))
    took["promote"], promotion = timed(leading, promote.promote(1, batch=BATCH))
    took["clean"], cleaning = timed(leading, clean.clean_jobs(1, {"completed": timedelta(hours=24)}, batch=BATCH))
    done = [len(claimed), len(rescued), promotion.promoted, cleaning.deleted]
    if done != [BATCH] * len(done):
        raise RuntimeError(f"each step was to be done to {BATCH} jobs, but was done to {done}")
    return took


def _claim() -> Steps[list[ClaimedJob]]:
    return attempts.claim("bench", slots=BATCH, incarnation=ME, floors_us=NOWHERE.us, floor_ids=NOWHERE.ids)


def _count(conn: Connection[Any], condition: str) -> int:
    row = conn.execute(f"SELECT count(*) FROM river_job WHERE {condition}".encode()).fetchone()
    return int(row[0]) if row else 0


def _connected(url: str, session: dict[str, str]) -> Connection[Any]:
    return psycopg.connect(
        session_dsn(url, name="riverrun/bench", session=session), autocommit=True, prepare_threshold=0
    )
