"""Jobs survive what handlers, signals and dying hosts do to the processes that run them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from psycopg import AsyncConnection

from riverrun import Client, JobState
from riverrun_scheduler.rescuer import GRACE
from support.daemons import Daemon, lives
from support.eventually import eventually
from support.queuectl import Queuectl

HANDLERS = "handlers: {modules: [support.crashers]}\nadmin: {port: 0}\n"
STATES = "SELECT state::text, count(*) FROM river_job GROUP BY 1 ORDER BY 1"


def enqueue(daemon: Daemon, kind: str, count: int = 1, *, max_attempts: int = 25, **args: object) -> None:
    daemon.execute(
        "INSERT INTO river_job (kind, args, queue, max_attempts) SELECT %s, %s, 'mail', %s FROM generate_series(1, %s)",
        kind,
        json.dumps(args),
        max_attempts,
        count,
    )


async def running(daemon: Daemon, river: str, *roles: str, more: str = "") -> None:
    daemon.configure(f"poll_interval: 100ms, {river}", HANDLERS + more)
    options = [option for role in roles or ("executor",) for option in ("--role", role)]
    await (await daemon.start(*options, module="riverrun_supervisor")).ready()


async def noticed(daemon: Daemon) -> None:
    """Wait until the executor has taken notice of all that was committed before.

    It looks in rounds, and a round begins with what is to be cancelled: when a second job is, a whole one has passed.
    """
    with Client(daemon.database) as client:
        for _ in range(2):
            job_id = client.enqueue("good", {"seconds": 60}, queue="mail").job.id
            await eventually(partial(_is, client, job_id, JobState.RUNNING), within=20)
            client.cancel(job_id)
            await eventually(partial(_is, client, job_id, JobState.CANCELLED), within=10)


def _is(client: Client, job_id: int, state: JobState) -> bool:
    return client.get(job_id).state == state


async def rescuing(daemon: Daemon, leader: str, *, schedulers: int) -> None:
    """Wait until ``leader`` leads, and until it and those who may follow it rescue.

    A scheduler that is new and one whose server has just started do not; nor is a host missed that nobody saw.
    """
    settled = f"""
        SELECT (SELECT server_id FROM riverrun_leader), count(*) FROM pg_stat_activity
        WHERE application_name = 'riverrun/scheduler' AND datname = current_database()
            AND backend_start < now() - interval '{GRACE.total_seconds() + 0.5} seconds'
            AND pg_postmaster_start_time() < now() - interval '{GRACE.total_seconds() + 0.5} seconds'
            AND EXISTS (
                SELECT FROM riverrun_server WHERE server_id = 'host-1' AND started_at < now() - interval '3 seconds'
            )
    """
    await eventually(lambda: daemon.fetch(settled) == [(leader, schedulers)], within=30)


def runs(daemon: Daemon, name: str, earlier: set[int]) -> bool:
    """Return whether a process runs under this name that is none of the earlier ones, and the job in it."""
    return daemon.fetch(STATES) == [("running", 1)] and daemon.pids().get(name) not in {None, *earlier}


async def test_a_job_that_crashes_its_process_is_quarantined_and_harms_no_neighbour(daemon: Daemon) -> None:
    await running(daemon, "queues: {mail: {max_workers: 10}}")
    enqueue(daemon, "good", 200)
    enqueue(daemon, "poison", 2)
    enqueue(daemon, "good", 200)

    await eventually(lambda: dict(daemon.fetch(STATES)) == {"completed": 400, "discarded": 2}, within=60)

    assert daemon.fetch("SELECT count(*) FROM river_job WHERE kind = 'good' AND cardinality(errors) > 1") == [(0,)]
    rows = daemon.fetch("SELECT metadata, errors FROM river_job WHERE kind = 'poison'")
    for metadata, errors in rows:
        assert metadata["riverrun:crashes"] == 3
        assert metadata["riverrun:quarantined"]["peak_bytes"] > 1_000_000
        assert [error["error"].partition(";")[2] for error in errors] == [
            " the job runs alone from now on",
            " it is quarantined",
        ]
        assert "SIGSEGV" in errors[-1]["error"]
        assert "about to fall" in errors[-1]["trace"]
        assert "crashers.py" in errors[-1]["trace"]  # where it fell
    assert "job_quarantined" in daemon.said


async def test_a_kind_that_crashes_again_and_again_is_paused(daemon: Daemon) -> None:
    await running(daemon, "queues: {mail: {max_workers: 20}}")
    enqueue(daemon, "poison", 10)

    paused = "SELECT paused_at IS NOT NULL FROM riverrun_handler WHERE kind = 'poison'"
    await eventually(lambda: daemon.fetch(paused) == [(True,)], within=60)
    await noticed(daemon)
    enqueue(daemon, "poison", 1)
    enqueue(daemon, "good", 1)  # claimed together with the one before it, or after it

    await eventually(lambda: ("completed", 1) in daemon.fetch(STATES), within=10)
    assert dict(daemon.fetch(STATES)) == {"available": 1, "cancelled": 2, "completed": 1, "discarded": 6, "pending": 4}
    assert "kind_paused" in daemon.said

    Queuectl(daemon.database, daemon.folder).json("handler", "resume", "poison")
    await eventually(lambda: dict(daemon.fetch(STATES))["discarded"] > 6, within=20)


async def test_a_job_that_runs_alone_is_not_given_up_because_somebody_kills_its_process(daemon: Daemon) -> None:
    await running(daemon, "queues: {mail: {}}")
    enqueue(daemon, "good", max_attempts=2, seconds=60)
    alone = "executor mail/isolated"
    seen: set[int] = set()

    for name in ("executor mail/0", "executor mail/0", alone, alone):
        await eventually(partial(runs, daemon, name, seen), within=20)
        seen.add(daemon.pids()[name])
        os.kill(daemon.pids()[name], signal.SIGKILL)
        await eventually(lambda: daemon.fetch(STATES) != [("running", 1)], within=5, every=0.001)

    await eventually(partial(runs, daemon, alone, seen), within=20)
    [(attempt, errors)] = daemon.fetch("SELECT attempt, errors FROM river_job")
    assert attempt == 1
    assert [error["error"].partition(";")[2] for error in errors] == [
        " the job runs alone from now on",
        " the job runs alone again",
        " the job runs alone again",
    ]


@pytest.mark.parametrize("kind", ["block_loop", "hold_interpreter"])
async def test_a_handler_that_blocks_its_process_is_named_and_killed_when_its_time_is_over(
    daemon: Daemon, kind: str
) -> None:
    await running(daemon, "queues: {mail: {max_workers: 5}}")
    enqueue(daemon, kind)
    began = time.monotonic()
    await eventually(lambda: daemon.fetch(STATES) == [("running", 1)], within=5)

    await eventually(lambda: daemon.fetch(STATES) == [("retryable", 1)], within=15)

    assert time.monotonic() - began > 7
    [(errors, attempt)] = daemon.fetch("SELECT errors, attempt FROM river_job")
    assert "it did not answer" in errors[0]["error"]
    assert attempt == 1
    assert "child_silent" in daemon.said


async def test_neighbours_of_a_handler_that_blocks_are_not_charged(daemon: Daemon) -> None:
    await running(daemon, "queues: {mail: {max_workers: 5}}")
    enqueue(daemon, "good", 4, seconds=3)
    await eventually(lambda: daemon.fetch(STATES) == [("running", 4)], within=5)
    enqueue(daemon, "block_loop")

    await eventually(lambda: ("completed", 4) in daemon.fetch(STATES), within=55)

    assert daemon.fetch("SELECT DISTINCT attempt FROM river_job WHERE kind = 'good'") == [(1,)]


async def test_a_handler_that_ignores_its_end_is_ended_without_it_and_its_process_replaced(daemon: Daemon) -> None:
    await running(daemon, "queues: {mail: {max_workers: 2}}")
    first = daemon.pids()["executor mail/0"]
    enqueue(daemon, "deaf", max_attempts=1)

    await eventually(lambda: ("discarded", 1) in daemon.fetch(STATES), within=25)
    await eventually(lambda: daemon.pids()["executor mail/0"] not in {first, None}, within=15)

    enqueue(daemon, "good")
    await eventually(lambda: ("completed", 1) in daemon.fetch(STATES), within=10)
    assert "slots_lost" in daemon.said


@pytest.mark.parametrize(("die", "runs"), [("before", 2), ("after", 1)])
async def test_what_a_handler_commits_with_its_job_happens_once_though_its_process_is_killed(
    daemon: Daemon, die: str, runs: int
) -> None:
    daemon.execute("CREATE TABLE effect (job_id bigint)")
    await running(daemon, "queues: {mail: {}}")
    enqueue(daemon, "pay", dsn=daemon.database, die=die)

    await eventually(lambda: daemon.fetch(STATES) == [("completed", 1)], within=15)
    await eventually(lambda: daemon.said.count("child_started") >= 2, within=10)
    enqueue(daemon, "good")  # when this one has run, the one before it would have
    await eventually(lambda: daemon.fetch(STATES) == [("completed", 2)], within=15)

    assert daemon.fetch("SELECT count(*) FROM effect") == [(1,)]
    assert daemon.fetch("SELECT cardinality(attempted_by) FROM river_job WHERE kind = 'pay'") == [(runs,)]


async def test_an_executor_that_is_frozen_loses_its_jobs_and_does_not_finish_them_when_it_wakes_up(
    daemon: Daemon,
) -> None:
    await running(daemon, "queues: {mail: {}}", "executor", "scheduler")
    await rescuing(daemon, "host-1", schedulers=1)
    enqueue(daemon, "good", 1, seconds=4)
    await eventually(lambda: daemon.fetch(STATES) == [("running", 1)], within=5)
    pid = daemon.pids()["executor mail/0"]

    os.kill(pid, signal.SIGSTOP)
    try:
        await eventually(lambda: daemon.fetch(STATES) != [("running", 1)], within=15)
    finally:
        os.kill(pid, signal.SIGCONT)

    await eventually(lambda: daemon.fetch(STATES) == [("completed", 1)], within=20)
    [(attempt, errors)] = daemon.fetch("SELECT attempt, errors FROM river_job")
    assert attempt == 2
    assert len(errors) == 1
    assert lives(pid)


@pytest.fixture
async def second(folder: Path, daemon: Daemon) -> AsyncIterator[Daemon]:
    """A second host: its scheduler leads and its executors take over."""
    other = Daemon(folder / "second", daemon.database)
    other.folder.mkdir()
    yield other
    if other.process is not None and other.process.returncode is None:
        other.send(signal.SIGKILL)
        await other.end()


@pytest.mark.parametrize("led", [False, True])
async def test_the_jobs_of_a_host_that_was_killed_are_rescued_by_another_within_five_seconds(
    daemon: Daemon, second: Daemon, led: bool
) -> None:
    second.config.write_text("server_id: host-2\nriver: {poll_interval: 100ms, queues: {other: {}}}\n")
    if led:
        await running(daemon, "queues: {mail: {}}", "executor", "scheduler")
        await second.start("--role", "scheduler", module="riverrun_supervisor")
    else:
        await second.start("--role", "scheduler", module="riverrun_supervisor")
        await running(daemon, "queues: {mail: {}}")
    await rescuing(daemon, "host-1" if led else "host-2", schedulers=2 if led else 1)
    enqueue(daemon, "good", 5, seconds=60)
    await eventually(lambda: daemon.fetch(STATES) == [("running", 5)], within=5)
    pids = daemon.pids().values()

    daemon.send(signal.SIGKILL)
    killed = time.monotonic()
    await eventually(lambda: not any(map(lives, pids)), within=3)

    await eventually(lambda: ("running", 5) not in daemon.fetch(STATES), within=8)
    assert time.monotonic() - killed < 5.5


async def test_a_stop_with_five_hundred_running_jobs_ends_in_time_and_charges_nobody(daemon: Daemon) -> None:
    await running(daemon, "workers: 500, queues: {mail: {}}")
    enqueue(daemon, "good", 200, seconds=0.5)
    enqueue(daemon, "good", 200, seconds=60)
    enqueue(daemon, "sleep_in_thread", 50)
    enqueue(daemon, "deaf", 50)
    await eventually(lambda: ("running", 300) in daemon.fetch(STATES), within=15)

    daemon.send(signal.SIGTERM)
    began = time.monotonic()
    code = await daemon.end(within=20)

    assert code == 0
    assert time.monotonic() - began < 1 + 1 + 2  # shutdown_wait, shutdown_cancel, and what a stop may take besides
    assert dict(daemon.fetch(STATES)) == {"available": 300, "completed": 200}
    assert daemon.fetch("SELECT DISTINCT attempt, errors FROM river_job WHERE state = 'available'") == [(0, None)]
    assert daemon.fetch("SELECT 1 FROM riverrun_executor UNION ALL SELECT 1 FROM riverrun_server") == []


async def test_an_executor_that_ends_before_it_could_write_how_a_job_ended_gives_it_back_uncharged(
    daemon: Daemon,
) -> None:
    await running(daemon, "queues: {mail: {}}")
    first = daemon.pids()["executor mail/0"]
    enqueue(daemon, "good", max_attempts=1, seconds=1)
    await eventually(lambda: daemon.fetch(STATES) == [("running", 1)], within=10)

    async with await AsyncConnection.connect(daemon.database) as operator:
        await operator.execute("SELECT FROM river_job FOR UPDATE")  # no end can be written
        os.kill(first, signal.SIGTERM)
        await eventually(lambda: not lives(first), within=15)

    await eventually(lambda: daemon.fetch(STATES) == [("completed", 1)], within=10)
    assert daemon.fetch("SELECT attempt, errors, cardinality(attempted_by) FROM river_job") == [(1, None, 2)]


async def test_a_second_signal_gives_running_jobs_back_at_once(daemon: Daemon) -> None:
    daemon.config.write_text(
        "server_id: host-1\nriver: {shutdown_wait: 30s, shutdown_cancel: 1s, queues: {mail: {}}}\n" + HANDLERS
    )
    await (await daemon.start("--role", "executor", module="riverrun_supervisor")).ready()
    enqueue(daemon, "good", 20, seconds=60)
    await eventually(lambda: ("running", 20) in daemon.fetch(STATES), within=10)

    daemon.send(signal.SIGTERM)
    await eventually(lambda: daemon.children()["executor mail/0"]["state"] == "draining", within=5)
    daemon.send(signal.SIGTERM)

    assert await daemon.end(within=5) == 0
    assert daemon.fetch("SELECT DISTINCT state::text, attempt, errors FROM river_job") == [("available", 0, None)]
