"""Clocks that are wrong, and leaders that change at the very tick."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from fault.lab import Lab, size

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
EACH_SECOND = {"schedules": {"each": {"task_type": "work", "every": "1s", "missed": "all"}}}


@pytest.mark.skipif(not LIBRARIES, reason="clocks cannot be set wrong without libfaketime")
@pytest.mark.parametrize("wrong", ["+90s", "-90s", "-1h"])
def test_a_host_with_a_wrong_clock_runs_nothing_early_and_misses_no_tick(lab: Lab, wrong: str) -> None:
    """T1: the clock of one host is wrong; it leads."""
    # The clock that measures durations stays right, as it does when a real clock is set.
    fake = {"LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME": wrong, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    lab.hosts("wrong", more=EACH_SECOND, environment=fake)
    lab.hosts("right", more=EACH_SECOND)
    delayed = lab.producer(args=lambda _: {"ms": 5}, delay=3.0)
    asked = time.time()
    ids = delayed.enqueue(20)
    with lab.producer(rate=20, args=lambda _: {"ms": 200}):
        time.sleep(size(6, 60))
    lab.settle(30)

    witnessed = lab.conclude("T1", f"clock of the leading host {wrong}")
    early = [e for e in witnessed.effects if e.job_id in ids and e.at < asked + 3.0]
    assert not early
    assert not witnessed.rescues()
    assert lab.leader() == "wrong"


def test_no_tick_is_missed_or_doubled_when_leaders_change_all_the_time(lab: Lab) -> None:
    """T4: leaders of a schedule of one second are killed, stopped and frozen at random moments."""
    lab.hosts("a", "b", more=EACH_SECOND, roles=("scheduler",))
    lab.hosts("c", roles=("executor",))
    lab.until("EXISTS (SELECT FROM river_job)", within=10)
    seen: list[float] = []
    choices = [signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP]
    for turn in range(size(4, 300)):
        time.sleep(lab.random.uniform(0.1, 1.6))
        lab.until("EXISTS (SELECT FROM pg_locks JOIN riverrun_leader ON pid = backend_pid AND granted)", within=30)
        host = next(host for host in lab.fleet.hosts if host.name == lab.leader())
        number = choices[turn % 4]
        pid = host.child_pid("scheduler")
        at = host.send(number, "scheduler")
        seen.append(lab.next_term(at))
        with suppress(ProcessLookupError):  # one that was frozen wakes up now, if it was not ended
            os.kill(pid, signal.SIGCONT)
    time.sleep(3)
    lab.until(
        "NOT EXISTS (SELECT FROM river_job WHERE finalized_at IS NULL AND created_at < now() - interval '2 seconds')",
        within=20,
    )

    lab.conclude("T4", f"{len(seen)} leaders changed with a schedule of 1 s", seen_after=seen, target=8.0)
