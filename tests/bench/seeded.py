"""Databases to measure in: with the tables of this release, and with jobs as a fleet leaves them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg

QUEUECTL = Path(sys.executable).with_name("queuectl")

KINDS = 20
"""Of how many kinds attempts have ended in every minute and every hour."""

FIGURES = """
INSERT INTO {table} (
    {moment}, queue, kind, completed, retried, snoozed, discarded, cancelled, interrupted, rescued, run_seconds,
    wait_seconds, run_buckets, wait_buckets
)
SELECT
    moment, 'bench', 'riverrun:bench_' || kind, 740, 11, 2, 3, 1, 0, 1, 93.5, 41.25,
    '{{310,190,120,60,40,15,9,5,2,1,1,1,0,0,0,0,0}}', '{{402,250,60,20,11,4,3,2,1,1,0,0,0,0,0,0}}'
FROM
    generate_series(
        date_trunc('{moment}', now() - interval '{kept}', 'UTC'), date_trunc('{moment}', now()), interval '1 {moment}'
    ) AS moment,
    generate_series(1, {kinds}) AS kind
"""


def migrate(url: str) -> None:
    """Make the tables."""
    _queuectl(url, "migrate", "up")


def seed(url: str, jobs: int) -> None:
    """Fill a fresh database with ``jobs`` jobs in every state, and with what charts are drawn from."""
    migrate(url)
    _queuectl(url, "bench", "seed", "--jobs", str(jobs))
    with psycopg.connect(url, autocommit=True) as conn:
        for table, moment, kept in (("riverrun_minute", "minute", "3 days"), ("riverrun_hour", "hour", "90 days")):
            conn.execute(FIGURES.format(table=table, moment=moment, kept=kept, kinds=KINDS).encode())
        conn.execute("VACUUM (ANALYZE)")
        conn.execute("CHECKPOINT")


def _queuectl(url: str, *arguments: str) -> None:
    environment = {**os.environ, "DATABASE_URL": url}
    subprocess.run([QUEUECTL, *arguments], env=environment, check=True, stdout=sys.stderr)
