"""Real scheduler processes: who leads after a stop, a kill, a freeze or a restart of PostgreSQL, and how soon."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from support.eventually import eventually_sync
from support.postgres import PostgresServer
from support.scheduler_process import SchedulerProcess

Start = Callable[..., SchedulerProcess]

START_SECONDS = 20.0


@pytest.fixture
def start(database: str, tmp_path: Path) -> Iterator[Start]:
    """Give a function that starts a scheduler on the test's database."""
    started: list[SchedulerProcess] = []

    def _start(server_id: str, **environment: str) -> SchedulerProcess:
        process = SchedulerProcess(
            database, server_id=server_id, log=tmp_path / f"{server_id}-{len(started)}.log", **environment
        )
        started.append(process)
        return process

    yield _start
    for process in started:
        process.close()


class Observer:
    """Looks at the database while schedulers come and go."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self._dsn, autocommit=True, connect_timeout=3) as conn:
            cursor = conn.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def leader(self) -> str | None:
        """Return the server whose session holds the lock."""
        rows = self.rows(
            "SELECT server_id FROM riverrun_leader JOIN pg_locks AS held ON held.pid = backend_pid"
            " WHERE held.locktype = 'advisory' AND held.granted"
        )
        return str(rows[0][0]) if rows else None

    def followers(self) -> int:
        """Return how many schedulers have asked for the lock and did not get it."""
        return len(
            self.rows(
                "SELECT pid FROM pg_stat_activity"
                " WHERE application_name = 'riverrun/scheduler' AND query LIKE '%asked%'"
            )
        )

    def transactions(self) -> int:
        """Return how many transactions the sessions of others have ended; of ours, each is one statement."""
        ((count,),) = self.rows(
            "SELECT (xact_commit + xact_rollback)::bigint FROM pg_stat_database WHERE datname = current_database()"
        )
        return int(str(count))

    def generation(self) -> int:
        ((generation,),) = self.rows("SELECT generation FROM riverrun_leader")
        return int(str(generation))


@pytest.fixture
def observer(database: str) -> Observer:
    return Observer(database)


def test_a_scheduler_runs_alone_and_stops_cleanly(start: Start, observer: Observer) -> None:
    one = start("one")
    eventually_sync(lambda: observer.leader() == "one", within=START_SECONDS)

    one.signal(signal.SIGTERM)

    assert one.wait(3) == 0
    assert "Traceback" not in one.text()
    assert observer.rows("SELECT pid FROM pg_locks WHERE locktype = 'advisory'") == []
    assert observer.rows("SELECT leader_id FROM river_leader") == []


@pytest.mark.parametrize(("number", "within"), [(signal.SIGTERM, 1.0), (signal.SIGKILL, 2.0)])
def test_another_leads_soon_after_a_stop_or_a_kill(
    start: Start, observer: Observer, number: signal.Signals, within: float
) -> None:
    one = start("one")
    eventually_sync(lambda: observer.leader() == "one", within=START_SECONDS)
    two = start("two")
    eventually_sync(lambda: observer.followers() == 1, within=START_SECONDS)

    one.signal(number)

    eventually_sync(lambda: observer.leader() == "two", within=within)
    assert not two.ended


@pytest.mark.slow
def test_a_frozen_leader_is_replaced_and_writes_nothing_when_it_wakes_up(start: Start, observer: Observer) -> None:
    one = start("one")
    eventually_sync(lambda: observer.leader() == "one", within=START_SECONDS)
    start("two")

    one.signal(signal.SIGSTOP)
    eventually_sync(lambda: observer.leader() == "two", within=START_SECONDS + 8)
    generation = observer.generation()
    observer.rows("CREATE TABLE written (pid int)")
    observer.rows(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO written VALUES (pg_backend_pid()); RETURN NULL; END'"
    )
    observer.rows("CREATE TRIGGER note AFTER UPDATE ON riverrun_leader FOR EACH ROW EXECUTE FUNCTION note()")
    one.signal(signal.SIGCONT)

    eventually_sync(lambda: "election_interrupted" in one.text() or "term_ended" in one.text(), within=5)
    eventually_sync(lambda: len(observer.rows("SELECT pid FROM written")) > 2, within=5)
    assert len(observer.rows("SELECT DISTINCT pid FROM written")) == 1
    assert (observer.leader(), observer.generation()) == ("two", generation)
    assert not one.ended


def test_a_leader_whose_session_was_ended_comes_back(start: Start, observer: Observer) -> None:
    one = start("one")
    eventually_sync(lambda: observer.leader() == "one", within=START_SECONDS)
    generation = observer.generation()

    observer.rows("SELECT pg_terminate_backend(backend_pid) FROM riverrun_leader")

    eventually_sync(lambda: observer.generation() > generation and observer.leader() == "one", within=5)
    assert not one.ended


def test_a_restart_of_postgresql_is_survived_without_a_mass_rescue(
    start: Start, observer: Observer, server: PostgresServer
) -> None:
    one = start("one")
    eventually_sync(lambda: observer.leader() == "one", within=START_SECONDS)
    observer.rows(
        "INSERT INTO river_job (kind, args, state, attempt, attempted_at, attempted_by)"
        " VALUES ('email', '{}', 'running', 1, now() - interval '1 hour', ARRAY['h_1_00000001'])"
    )
    observer.rows(
        "INSERT INTO riverrun_executor (incarnation, server_id, queue, slots, pid, lease_until)"
        " VALUES ('h_1_00000001', 'h', 'default', 1, 1, now() - interval '2 seconds')"
    )

    server._cluster.stop()
    server._cluster.start()

    eventually_sync(lambda: observer.leader() == "one", within=12)
    time.sleep(2)  # two pulses of the new term, in which nothing may happen
    assert observer.rows("SELECT state::text FROM river_job") == [("running",)]
    assert not one.ended


def test_a_database_that_comes_later_is_waited_for(start: Start, observer: Observer, server: PostgresServer) -> None:
    server._cluster.stop()
    try:
        one = start("one")
        eventually_sync(lambda: "election_interrupted" in one.text(), within=START_SECONDS)
    finally:
        server._cluster.start()

    eventually_sync(lambda: observer.leader() == "one", within=15)
    assert "Traceback" not in one.text()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_tick_is_missed_or_doubled_through_twenty_changes_of_the_leader(start: Start, observer: Observer) -> None:
    rng = random.Random(20)
    numbers = itertools.count(1)
    alive = {name: start(name) for name in (f"host-{next(numbers)}" for _ in range(3))}
    eventually_sync(observer.leader, within=START_SECONDS)
    observer.rows(
        "INSERT INTO riverrun_schedule (name, kind, expression, queue, source)"
        " VALUES ('every-second', 'report', '@every 1s', 'default', 'api')"
    )

    for change in range(20):
        time.sleep(rng.uniform(0.2, 1.4))  # the change shall come at any moment of a second
        generation = observer.generation()
        eventually_sync(lambda: observer.leader() in alive, within=10)
        name = str(observer.leader())
        if change in (6, 13):
            alive[name].signal(signal.SIGSTOP)
        elif change % 3 == 0:
            observer.rows("SELECT pg_terminate_backend(backend_pid) FROM riverrun_leader")
        else:
            alive.pop(name).signal(signal.SIGKILL if change % 3 == 1 else signal.SIGTERM)
            fresh = f"host-{next(numbers)}"
            alive[fresh] = start(fresh)
        eventually_sync(lambda: observer.generation() > generation, within=15)  # noqa: B023 - asked at once
        for process in alive.values():
            process.signal(signal.SIGCONT)

    enough = "SELECT count(*) > 20 FROM riverrun_schedule_tick"
    eventually_sync(lambda: observer.rows(enough) == [(True,)], within=30)
    ((ticks, span, jobs, distinct),) = observer.rows(
        "SELECT count(*), max(tick) - min(tick), (SELECT count(*) FROM river_job),"
        " (SELECT count(DISTINCT metadata ->> 'riverrun:tick') FROM river_job) FROM riverrun_schedule_tick"
    )
    assert span == timedelta(seconds=int(str(ticks)) - 1)
    assert ticks == jobs == distinct
    assert observer.generation() >= 20


def _rate(observer: Observer, *, seconds: float) -> float:
    before, began = observer.transactions(), time.monotonic()
    time.sleep(seconds)
    return (observer.transactions() - before) / (time.monotonic() - began)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_an_idle_leader_and_an_idle_follower_send_at_most_two_statements_a_second_each(
    start: Start, observer: Observer
) -> None:
    one = start("one")
    eventually_sync(lambda: observer.leader() == "one", within=START_SECONDS)
    two = start("two")
    eventually_sync(lambda: observer.followers() == 1, within=START_SECONDS)
    time.sleep(8)  # past what a new leader does once

    # Autovacuum ends transactions too, for a while on a busy machine; a fleet that sends more never comes to rest.
    eventually_sync(lambda: _rate(observer, seconds=4.0) <= 2 * 2, within=60)

    assert "failed" not in one.text() + two.text()
