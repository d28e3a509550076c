"""Processes that are killed, freeze, are replaced, or are told to stop at a bad moment."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from fault.checker import Promise
from fault.fleet import Host
from fault.lab import Lab, size
from support.eventually import eventually_sync

SCHEDULERS = (
    "pg_stat_activity WHERE application_name = 'riverrun/scheduler' AND datname = current_database()"
    " AND backend_start < now() - interval '1 second'"
)
TEN_SLOTS = {"queues": {"default": {"max_workers": 10}}}
"""Few enough for twenty jobs to be spread over two hosts."""


@pytest.mark.quick
def test_killed_executors_lose_no_job_and_their_jobs_run_again_at_once(lab: Lab) -> None:
    """F1: an executor is killed again and again under load."""
    (host,) = lab.hosts("a", river={"queues": {"default": {"max_workers": 60}}})
    kills: list[float] = []
    rate = size(60, 200)
    with lab.producer(rate=rate, args=lambda n: {"ms": 20 + n % 7 * 30}) as producer:
        while len(kills) < size(3, 200) or producer.asked < size(0, 100_000):
            lab.works_again()
            time.sleep(lab.random.uniform(0.2, size(1, 3)))
            kills.append(host.send(signal.SIGKILL, "executor"))
        lab.works_again()
    lab.settle()

    seen, again = lab.history().taken_back(kills)
    lab.conclude(
        "F1", f"executor killed {len(kills)} times under {rate} jobs/s", seen_after=seen, target=2.0,
        promise=Promise(slots=60), note=lab.summary(again),
    )  # fmt: skip


@pytest.mark.quick
def test_a_killed_supervisor_leaves_no_process_and_its_successor_takes_the_jobs_back(lab: Lab) -> None:
    """F5: the supervisor is killed and started again under the same server_id."""
    (host,) = lab.hosts("a")
    lab.producer(kind="long", args=lambda _: {"ms": 1500}).enqueue(10)
    lab.begun(10)

    at = host.send(signal.SIGKILL)
    host.wait()
    eventually_sync(lambda: not host.survivors(), within=60)
    host.start().ready()
    lab.settle()

    seen, again = lab.history().taken_back([at])
    lab.conclude(
        "F5", "supervisor killed, started again", seen_after=seen, target=3.0,
        note=f"{lab.summary(again)}; includes the start of the daemon",
    )  # fmt: skip


def test_jobs_of_a_host_that_died_run_on_another_host(lab: Lab) -> None:
    """F6: every process of the host that leads is killed."""
    lab.hosts("a", "b", river=TEN_SLOTS)
    lab.grown_up()
    lab.producer(kind="long", args=lambda _: {"ms": 2000}).enqueue(20)
    lab.begun(20)
    dies = next(host for host in lab.fleet.hosts if host.name == lab.leader())

    at = dies.kill_all()
    lab.settle()

    seen, again = lab.history().taken_back([at])
    lab.conclude("F6", "all processes of the leading host killed", seen_after=seen, target=5.0, note=lab.summary(again))


def test_a_frozen_executor_that_wakes_up_finishes_nothing_of_others(lab: Lab) -> None:
    """F7: an executor is stopped for longer than its lease and woken later."""
    hosts = lab.hosts("a", "b", river=TEN_SLOTS)
    lab.producer(kind="long", args=lambda _: {"ms": 4000}).enqueue(20)
    lab.begun(20)

    at = hosts[0].send(signal.SIGSTOP, "executor")
    frozen = hosts[0].child_pid("executor")
    try:
        eventually_sync(lambda: lab.history().rescues(), within=60, every=0.5)
    finally:
        _wake(frozen)
    lab.settle()

    seen, again = lab.history().taken_back([at])
    lab.conclude(
        "F7", "executor frozen, woken after the rescue", seen_after=seen, target=15.0, promise=Promise(overlap=2.0),
        note=lab.summary(again),
    )  # fmt: skip


def test_jobs_of_a_frozen_host_run_elsewhere_and_its_late_results_are_refused(lab: Lab) -> None:
    """F8: every process of a host is stopped for longer than its lease and woken later."""
    hosts = lab.hosts("a", "b", river=TEN_SLOTS)
    lab.producer(kind="long", args=lambda _: {"ms": 4000}).enqueue(20)
    lab.begun(20)

    at = hosts[0].freeze_all()
    try:
        eventually_sync(lambda: lab.history().rescues(), within=60, every=0.5)
        eventually_sync(lambda: _ran_again(lab), within=60, every=0.5)
    finally:
        hosts[0].wake_all()
    lab.settle()

    seen, again = lab.history().taken_back([at])
    lab.conclude(
        "F8", "whole host frozen, woken after the rescue", seen_after=seen, target=15.0, promise=Promise(overlap=6.0),
        note=lab.summary(again),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("number", "target", "fault"),
    [(signal.SIGSTOP, 8.0, "F9"), (signal.SIGKILL, 1.0, "F9b"), (signal.SIGTERM, 0.3, "F9b")],
    ids=["frozen", "killed", "stopped"],
)
def test_another_scheduler_leads_soon_and_the_old_one_writes_nothing_more(
    lab: Lab, number: signal.Signals, target: float, fault: str
) -> None:
    """F9, F9b: the leading scheduler is frozen and woken later, killed, or stopped."""
    more = {"schedules": {"each": {"task_type": "work", "every": "1s", "missed": "all"}}}
    lab.hosts("a", "b", more=more)
    lab.producer(args=lambda n: {"ms": 1}, delay=3.0).enqueue(200)
    seen: list[float] = []
    for _ in range(size(1, 10) if number is signal.SIGSTOP else size(2, 20)):
        leads = next(host for host in lab.fleet.hosts if host.name == lab.leader())
        pid = leads.child_pid("scheduler")
        lab.until(f"(SELECT count(*) = 2 FROM {SCHEDULERS})", within=60)  # one that has just been started is no help
        at = leads.send(number, "scheduler")
        seen.append(lab.next_term(at))
        _wake(pid)
        leads.ready()
        time.sleep(2.0)
    lab.settle()

    done = {signal.SIGSTOP: "frozen and woken", signal.SIGKILL: "killed", signal.SIGTERM: "stopped"}[number]
    lab.conclude(fault, f"leader {done} {len(seen)} times", seen_after=seen, target=target)


@pytest.mark.quick
@pytest.mark.parametrize("kind", ["work", "stuck"])
def test_a_stop_under_load_gives_every_unfinished_job_back(lab: Lab, kind: str) -> None:
    """F13: SIGTERM while hundreds of jobs run, some of which do not listen."""
    jobs = size(200, 500)
    (host,) = lab.hosts("a", river={"queues": {"default": {"max_workers": jobs}}})
    lab.producer(kind=kind, args=lambda _: {"ms": 60_000}).enqueue(jobs)
    lab.begun(jobs)

    at = time.time()
    code = host.stop()
    took = time.time() - at

    rows = lab.rows("SELECT DISTINCT state::text, attempt, cardinality(errors) FROM river_job")
    lab.conclude(
        "F13", f"SIGTERM with {jobs} jobs running ({kind})", seen_after=[took], target=5.0,
        promise=Promise(ends={kind: "available"}), note="grace 3 s",
    )  # fmt: skip
    assert code == 0
    assert rows == [("available", 0, None)]
    assert "Traceback" not in host.said()


def test_a_storm_of_signals_leaves_no_process_no_lease_and_no_traceback(lab: Lab) -> None:
    """F14: signals during the start, twice, to the whole group, and reloads in between."""
    (host,) = lab.hosts("a")
    host.stop()
    took = []
    for turn in range(size(5, 30)):
        host.start()
        time.sleep(lab.random.uniform(0.2, 4.0))
        storm = lab.random.choice([(signal.SIGTERM,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGHUP, signal.SIGINT)])
        at = time.time()
        for number in storm:
            (os.killpg if turn % 2 else os.kill)(host.pid, number)
        host.wait(20)
        took.append(time.time() - at)

    assert not host.survivors()
    assert lab.rows("SELECT 1 FROM riverrun_executor UNION ALL SELECT 1 FROM riverrun_server") == []
    assert "Traceback" not in host.said()
    lab.conclude("F14", f"{len(took)} storms of signals during the start", seen_after=took, target=3.0)


def test_restarts_leak_no_file_no_thread_and_no_session(lab: Lab) -> None:
    """F16: executors die again and again, the supervisor stays."""
    (host,) = lab.hosts("a")
    sessions = "(SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'riverrun/%')"

    def held() -> tuple[int, int, int]:
        process = Path(f"/proc/{host.pid}")
        return (
            len(list((process / "fd").iterdir())),
            len(list((process / "task").iterdir())),
            lab.rows(f"SELECT {sessions}")[0][0],
        )

    def at_rest() -> tuple[int, int, int]:
        """Return what is held when that does not change: sessions are opened and closed for a while after a start."""
        seen: deque[tuple[int, int, int]] = deque(maxlen=10)

        def settled() -> bool:
            seen.append(held())
            return len(seen) == 10 and len(set(seen)) == 1

        eventually_sync(settled, within=60, every=0.2)
        return seen[-1]

    before = at_rest()
    for _ in range(size(3, 100)):
        killed = host.child_pid("executor")
        host.send(signal.SIGKILL, "executor")
        eventually_sync(partial(_replaced, host, killed), within=60, every=0.05)
    after = at_rest()

    lab.conclude(
        "F16", f"{size(3, 100)} deaths of an executor", note=f"files, threads, sessions: {before}, then {after}"
    )
    assert all(now <= then for now, then in zip(after, before, strict=True))


def test_processes_are_started_clean_however_often(lab: Lab) -> None:
    """F15: executors are replaced again and again by a supervisor with threads, sockets and pipes."""
    (host,) = lab.hosts("a")
    took: list[float] = []
    for turn in range(size(4, 500)):
        before = host.child_pid("executor")
        at = time.time()
        host.reconfigure({"queues": {"default": {"max_workers": 10 + turn % 2}}})
        eventually_sync(partial(_replaced, host, before), within=60, every=0.05)
        took.append(time.time() - at)

    for pid in host.pids()[1:]:
        status = Path(f"/proc/{pid}/status").read_text()
        assert [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk")] == ["0" * 16]
    ends = [end for pid in host.pids() for end in _ends(pid)]
    assert len(set(ends)) == len(ends), "a process has inherited what belongs to another"
    assert len(host.pids()) == 4
    lab.conclude("F15", f"{len(took)} executors replaced", seen_after=took, target=10.0, note="seen: it runs")


def _replaced(host: Host, before: int) -> bool:
    child = host.child("executor")
    return child["pid"] not in {before, None} and child["state"] == "running" and child["answering"]


def _ends(pid: int) -> set[str]:
    """Return the ends of pipes and sockets that a process has, besides what it was given to write to."""
    ends = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed since it was listed
            name = entry.readlink().name
            if int(entry.name) > 2 and name.startswith(("pipe:", "socket:")):
                ends.add(name)
    return ends


def _wake(pid: int) -> None:
    with suppress(ProcessLookupError):  # it may have been ended while it slept
        os.kill(pid, signal.SIGCONT)


def _ran_again(lab: Lab) -> bool:
    return any(effect.attempt > 1 and effect.phase == "begin" for effect in lab.history().effects)
