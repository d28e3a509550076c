"""PgBouncer between the daemon, or producers, and the database."""

from __future__ import annotations

import time

import psycopg
import pytest

from fault.lab import Lab, size
from fault.pgbouncer import PROGRAM, pgbouncer
from riverrun import Client

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no PgBouncer here")


def test_a_pooler_that_keeps_sessions_apart_is_like_none(lab: Lab) -> None:
    """D12: PgBouncer in session mode."""
    with pgbouncer(lab.database, "session") as pooled:
        lab.hosts("a", "b", database=pooled)
        with lab.producer(rate=30, args=lambda n: {"ms": n % 5 * 20}):
            lab.works_again()
            time.sleep(size(3, 30))
        lab.settle()

        witnessed = lab.conclude("D12", "PgBouncer in session mode")
        assert not witnessed.rescues()
        lab.fleet.close()


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_lends_sessions_is_refused_by_the_daemon_and_takes_jobs(lab: Lab, mode: str) -> None:
    """D12: PgBouncer in transaction or statement mode."""
    with pgbouncer(lab.database, mode) as pooled:
        host = lab.fleet.host("refused", database=pooled)
        code = host.wait(60)

        with psycopg.connect(pooled, autocommit=True, prepare_threshold=None) as conn, Client(lab.database) as client:
            jobs = [client.enqueue("work", {}, conn=conn).job.id for _ in range(20)]

    lab.fleet.host("direct").ready()
    lab.settle()
    lab.conclude("D12", f"PgBouncer in {mode} mode: refused by the daemon, {len(jobs)} jobs enqueued through it")
    assert code != 0
    assert "pooler" in host.said()
    assert lab.rows("SELECT count(*) FROM river_job WHERE state = 'completed'") == [(20,)]
