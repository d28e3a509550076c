"""Releases that follow each other: on each other's tables, side by side, and while the tables are being changed."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import AsyncConnection

from fault import history, releases
from fault.fleet import QUEUECTL, TESTS, Host
from fault.lab import Lab, size
from riverrun.database import migrate
from riverrun.database.migration_files import latest, oldest
from riverrun.database.schema_check import Status, status
from riverrun.database.statements import Statements
from riverrun.settings.connection import url_from_conninfo
from riverrun.store import attempts
from riverrun_executor.floors import NOWHERE

EACH_SECOND = {"schedules": {"each": {"task_type": "work", "every": "1s", "missed": "all"}}}
UNFINISHED = """
SELECT
    (SELECT count(*) FROM pg_index WHERE NOT indisvalid)
    + (SELECT count(*) FROM pg_constraint WHERE NOT convalidated)
"""


def test_a_release_starts_on_no_tables_that_lack_what_it_needs_and_says_what_to_run(empty_lab: Lab) -> None:
    """U1, U3: the tables are older, step by step up and down again."""
    says = "run: queuectl migrate up --database-url"
    versions = range(oldest())
    for version in versions:
        _migrate(empty_lab.database, version)
        host = empty_lab.fleet.host(f"up-{version}", roles=("executor",))
        assert host.wait(30) != 0
        assert says in host.said()
    _migrate(empty_lab.database, latest())
    history.watch(empty_lab.database)
    for version in versions[::-1]:
        asyncio.run(_down(empty_lab.database, version))
    refused = empty_lab.fleet.host("down", roles=("executor",))
    assert refused.wait(30) != 0
    assert says in refused.said()
    _migrate(empty_lab.database, latest())
    empty_lab.fleet.host("a").ready()
    empty_lab.producer().enqueue(10)
    empty_lab.settle()
    empty_lab.conclude("U3", f"each of {latest()} versions of the tables up, down and up again")


def test_a_release_goes_on_on_the_tables_of_the_next_one_until_a_step_ends_it(lab: Lab) -> None:
    """U1: the tables become those of the next release while this one works, and its processes are started anew."""
    (host,) = lab.hosts("a", more=EACH_SECOND)
    with lab.producer(rate=30, args=lambda n: {"ms": n % 5 * 50}):
        lab.works_again()
        _become(lab, latest() + 1, "ALTER TABLE riverrun_executor ADD COLUMN lane text", "add_lanes")
        seen = [_next_leader(lab, host)]
        host.send(signal.SIGKILL, "executor")
        lab.works_again()
        assert host.stop() == 0
        host.start().ready()
        lab.works_again()
    lab.settle()
    lab.conclude("U1", "this release on the tables of the next one", seen_after=seen, target=10.0,
        note="seen: another leader, with the start of its process")  # fmt: skip

    _become(lab, latest() + 2, "ALTER TABLE riverrun_executor DROP COLUMN lane", f"drop_lanes_ends_{latest():03}")
    ended = lab.fleet.host("ended", roles=("executor",))
    assert ended.wait(30) != 0
    assert "made by a newer release" in ended.said()


def test_hosts_may_be_upgraded_before_the_tables(lab: Lab, tmp_path: Path) -> None:
    """U1: the next release runs on the tables of this one, beside it, until they become its own."""
    following = {"PYTHONPATH": f"{releases.next_release(tmp_path)}{os.pathsep}{TESTS}"}
    (old,) = lab.hosts("old", more=EACH_SECOND)
    with lab.producer(rate=30, args=lambda n: {"ms": n % 5 * 50}):
        (new,) = lab.hosts("new", more=EACH_SECOND, environment=following)
        assert "tables_behind" in new.said()
        turns = [_next_leader(lab, host) for host in (old, new) * size(1, 20)]
        new.send(signal.SIGKILL, "executor")
        lab.works_again()
        assert new.stop() == 0
        new.start().ready()
        assert _queuectl(lab.database, "migrate", "up", **following).wait(60) == 0
        turns += [_next_leader(lab, host) for host in (new, old)]
        old.send(signal.SIGKILL, "executor")
        lab.works_again()
    lab.settle()
    lab.conclude(
        "U1", f"the next release on the tables of this one, {len(turns)} leaders in turn", seen_after=turns, target=2.0
    )


def test_two_releases_side_by_side_keep_every_promise(empty_lab: Lab, tmp_path: Path) -> None:
    """U1: the previous release runs, the tables become those of this one, and both lead in turn."""
    if reason := releases.absent():
        pytest.skip(reason)
    previous = {"PYTHONPATH": f"{releases.previous_release(tmp_path)}{os.pathsep}{TESTS}"}
    assert _queuectl(empty_lab.database, "migrate", "up", **previous).wait(60) == 0
    history.watch(empty_lab.database)
    (old,) = empty_lab.hosts("old", more=EACH_SECOND, environment=previous)
    with empty_lab.producer(rate=30, args=lambda n: {"ms": n % 5 * 50}):
        empty_lab.works_again()
        assert _queuectl(empty_lab.database, "migrate", "up").wait(60) == 0
        (new,) = empty_lab.hosts("new", more=EACH_SECOND)
        turns = [_next_leader(empty_lab, host) for host in (old, new) * size(1, 20)]
        old.send(signal.SIGKILL, "executor")
        new.send(signal.SIGKILL, "executor")
        empty_lab.works_again()
        assert old.stop() == 0
        empty_lab.works_again()
    empty_lab.settle()
    empty_lab.conclude(
        "U1", f"the previous release beside this one, {len(turns)} changes of the leader", seen_after=turns, target=2.0
    )


@pytest.mark.quick
def test_tables_are_changed_under_load_by_migrators_that_are_killed(empty_lab: Lab) -> None:
    """U2: five migrators at once, killed again and again, while jobs are claimed."""
    _migrate(empty_lab.database, 0)
    with psycopg.connect(empty_lab.database, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO river_job (kind, args, state, finalized_at) SELECT 'old', '{}', 'completed', now()"
            " FROM generate_series(1, %s)", (size(50_000, 2_000_000),),
        )  # fmt: skip
        conn.execute("INSERT INTO river_job (kind, args) SELECT 'work', '{}' FROM generate_series(1, 20000)")
    with _claims(empty_lab.database) as moments, psycopg.connect(empty_lab.database) as reader:
        reader.execute("SELECT count(*) FROM river_job").fetchone()
        began, kills = time.monotonic(), 0
        while not _is_newest(empty_lab):
            crowd = [_queuectl(empty_lab.database, "migrate", "up") for _ in range(5)]
            time.sleep(empty_lab.random.uniform(0.5, 2.0))
            for migrator in crowd[:-1]:
                migrator.kill()
                migrator.wait()
                kills += 1
            if time.monotonic() - began > 4:
                reader.rollback()
                crowd[-1].wait(120)
            crowd[-1].kill()
            crowd[-1].wait()
        time.sleep(0.5)
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]

    assert empty_lab.rows(UNFINISHED) == [(0,)]
    history.watch(empty_lab.database)
    empty_lab.conclude(
        "U2", f"tables changed under load, {kills} migrators killed", seen_after=pauses, target=2.0,
        note=f"seen: pauses of {len(moments)} claims",
    )  # fmt: skip


@contextmanager
def _claims(dsn: str) -> Iterator[list[float]]:
    """Claim jobs one by one, as fast as it goes, and give the moments at which it was done."""
    moments: list[float] = []
    stop = threading.Event()

    def claim() -> None:
        with psycopg.connect(dsn, autocommit=True) as conn:
            while not stop.wait(0.01):
                steps = attempts.claim(
                    "default", slots=1, incarnation="a_1_00000000", floors_us=NOWHERE.us, floor_ids=NOWHERE.ids
                )
                Statements().run_sync(conn, steps)
                moments.append(time.monotonic())

    thread = threading.Thread(target=claim, name="claims", daemon=True)
    thread.start()
    try:
        yield moments
    finally:
        stop.set()
        thread.join(10)


def _become(lab: Lab, version: int, change: str, name: str) -> None:
    """Do to the tables what a step of a newer release does."""
    with psycopg.connect(lab.database) as conn:
        conn.execute(change.encode())
        conn.execute("INSERT INTO riverrun_migration VALUES (%s, %s)", (version, f"{version:03}_{name}"))


def _next_leader(lab: Lab, host: Host) -> float:
    """Kill the scheduler of a host if it leads; return how many seconds later another did."""
    sessions = "pg_stat_activity WHERE application_name = 'riverrun/scheduler' AND datname = current_database()"
    followed = f"(SELECT count(*) = {len(lab.fleet.hosts)} FROM {sessions} AND backend_start < now() - interval '1 s')"
    lab.until(followed, within=60)
    if lab.leader() != host.name:
        return 0.0
    return lab.next_term(host.send(signal.SIGKILL, "scheduler"))


def _migrate(dsn: str, version: int) -> None:
    async def up() -> None:
        async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
            await migrate.up(conn, to=version)

    asyncio.run(up())


async def _down(dsn: str, version: int) -> None:
    async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
        await migrate.down(conn, to=version)


def _is_newest(lab: Lab) -> bool:
    async def look() -> Status:
        async with await AsyncConnection.connect(lab.database, autocommit=True) as conn:
            return await status(conn)

    return not asyncio.run(look()).pending


def _queuectl(dsn: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start the command of a release."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RIVERRUN_")}
    return subprocess.Popen(
        [QUEUECTL, *arguments, "--database-url", url_from_conninfo(dsn)], env={**inherited, **environment},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
