"""A laboratory: a database that is watched, a fleet on it, witnesses, and the judge at the end."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psycopg

from fault import history, report
from fault.checker import Promise, judge, percentile
from fault.fleet import Fleet, Host
from fault.history import History
from fault.producer import Producer
from fault.server import DurableServer
from support.eventually import eventually_sync

FULL = os.environ.get("RIVERRUN_FAULT", "smoke") == "full"
SEED = int(os.environ.get("SEED", "1"))
PATIENCE, STALL = 3.0, 5.0
"""How many times later than its target, and how many seconds besides, a repair may come before a test of full size
fails: the machine may be slow, the table is not. The small sizes run beside other work and judge no seconds."""


def size(smoke: int, full: int) -> int:
    """Return how big a scenario is: small as part of all tests, bigger in a run of the matrix."""
    return full if FULL else smoke


class Lab:
    """What a scenario works with.

    Args:
        database: The watched database, reached as no fault can prevent.
        witnesses: The database of the witnesses.
        folder: Where hosts keep their files.
        server: The server of the database when it is the test's own.
    """

    def __init__(self, database: str, witnesses: str, folder: Path, server: DurableServer | None = None) -> None:
        self.database = database
        self.witnesses = witnesses
        self.fleet = Fleet(folder, database=database, witnesses=witnesses)
        self.random = random.Random(SEED)
        self._server = server
        self._concluded = False

    @property
    def server(self) -> DurableServer:
        """The server that this test may hurt."""
        assert self._server is not None
        return self._server

    def hosts(self, *names: str, **options: Any) -> list[Host]:
        """Start hosts that are alike and wait until all of them work."""
        started = [self.fleet.host(name, **options) for name in names]
        self.fleet.ready()
        return started

    def producer(self, database: str | None = None, **options: Any) -> Producer:
        """Return a producer that has not begun."""
        return Producer(database or self.database, self.witnesses, **options)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(self.database, autocommit=True, connect_timeout=5) as conn:
            cursor = conn.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def effects(self, phase: str) -> int:
        """Return how many handlers have said so far that they are at ``phase``."""
        with psycopg.connect(self.witnesses, autocommit=True) as conn:
            row = conn.execute("SELECT count(*) FROM effect WHERE phase = %s", (phase,)).fetchone()
        return int(row[0]) if row else 0

    def begun(self, jobs: int) -> None:
        """Wait until so many attempts have begun since the test did."""
        eventually_sync(lambda: self.effects("begin") >= jobs, within=60)

    def works_again(self, within: float = 60.0) -> float:
        """Wait until one more job begins than until now, and return when that was."""
        with psycopg.connect(self.witnesses, autocommit=True) as conn:
            seen = conn.execute("SELECT coalesce(max(seq), 0) FROM effect").fetchone()

            def one_more() -> bool:
                query = "SELECT FROM effect WHERE seq > %s AND phase = 'begin' LIMIT 1"
                return conn.execute(query, seen).fetchone() is not None

            eventually_sync(one_more, within=within)
        return time.time()

    def leader(self) -> str | None:
        """Return which host leads."""
        rows = self.rows(
            "SELECT server_id FROM riverrun_leader"
            " JOIN pg_locks ON pid = backend_pid AND locktype = 'advisory' AND granted"
        )
        return str(rows[0][0]) if rows else None

    def grown_up(self) -> None:
        """Wait until every scheduler has been there for so long that it may rescue as soon as it leads."""
        young = "application_name = 'riverrun/scheduler' AND backend_start > now() - interval '10.5 seconds'"
        self.until(
            f"NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND {young})", within=15
        )

    def until(self, condition: str, *, within: float, every: float = 0.05) -> float:
        """Wait until the database says yes to ``condition`` and return when it did."""
        eventually_sync(lambda: self.rows(f"SELECT {condition}")[0][0], within=within, every=every)
        return time.time()

    def settle(self, within: float = 60.0, *, but: Sequence[str] = ()) -> None:
        """Wait until every job has come to its end, those of the schedules and of kinds in ``but`` aside."""
        named = ", ".join(f"'{kind}'" for kind in but) or "''"
        unsettled = (
            "SELECT state::text, attempt, scheduled_at::text, attempted_by[cardinality(attempted_by)], count(*)"
            " FROM river_job WHERE finalized_at IS NULL AND NOT metadata ? 'riverrun:schedule'"
            f" AND kind NOT IN ({named}) GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 5"
        )
        left: list[tuple[Any, ...]] = []

        def settled() -> bool:
            left[:] = self.rows(unsettled)
            return not left

        try:
            eventually_sync(settled, within=within, every=0.2)
        except AssertionError as error:
            raise AssertionError(f"jobs that have not come to their end: {left}") from error

    def next_term(self, after: float, *, within: float = 60.0) -> float:
        """Wait for the first term that begins ``after`` a moment, and return how many seconds after it that was."""
        began: list[float] = []

        def next_began() -> bool:
            rows = self.rows("SELECT extract(epoch FROM at)::float8 FROM fault.term ORDER BY at")
            began[:] = [at for (at,) in rows if at > after]
            return bool(began)

        eventually_sync(next_began, within=within, every=0.1)
        return began[0] - after

    def history(self) -> History:
        """Return what was witnessed so far."""
        return history.read(self.database, self.witnesses)

    def conclude(
        self,
        fault: str,
        what: str,
        *,
        seen_after: Iterable[float] = (),
        target: float | None = None,
        promise: Promise | None = None,
        note: str = "",
    ) -> History:
        """Judge what happened, keep the row for the table, and fail when a promise was broken.

        Args:
            fault: Its number in the matrix.
            what: What was done.
            seen_after: Seconds from each fault until it was seen and repaired.
            target: The most that these shall be.
            promise: What this scenario allows besides the rules.
            note: A figure more, for the table.
        """
        witnessed = self.history()
        verdict = judge(witnessed, promise)
        seen = sorted(seen_after)
        row = report.Row(
            fault=fault,
            what=what,
            jobs=len({change.job_id for change in witnessed.changes}),
            p50=percentile(seen, 0.5),
            worst=seen[-1] if seen else None,
            target=target,
            counts={letter: len(violations) for letter, violations in verdict.items()},
            note=note,
        )
        report.keep(row)
        self._concluded = True
        broken = {letter: violations[:5] for letter, violations in verdict.items() if violations}
        assert not broken, broken
        if target is not None:
            assert seen, "nothing was seen to be repaired"
        if target is not None and FULL:
            assert seen[-1] <= PATIENCE * target + STALL, f"seen after {seen[-1]:.1f} s, with a target of {target:g} s"
        return witnessed

    def summary(self, again: Sequence[float]) -> str:
        """Return how soon jobs ran again, for the table."""
        return f"run again after p50 {percentile(again, 0.5):.2f} s, max {max(again):.2f} s" if again else ""

    def close(self, scenario: str, reason: str = "") -> None:
        """End everything; a ``scenario`` that did not come to its end has a row all the same, with the ``reason``."""
        self.fleet.close()
        if not self._concluded:
            numbers, _, what = scenario.strip(".").partition(": ")
            row = report.Row(
                fault=numbers.split(",")[0],
                what=what,
                jobs=0,
                p50=None,
                worst=None,
                target=None,
                counts={},
                failed=True,
                note=reason,
            )
            report.keep(row)
