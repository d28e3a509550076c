"""Clocks that are wrong, and leaders that change at the very tick."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from fault.checker import Promise
from fault.lab import Lab, size
from riverrun.database.system_account import BARE_ENVIRONMENT

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
    lab.settle()

    witnessed = lab.conclude("T1", f"clock of the leading host {wrong}")
    early = [e for e in witnessed.effects if e.job_id in ids and e.at < asked + 3.0]
    assert not early
    assert not witnessed.rescues()
    assert lab.leader() == "wrong"


@pytest.fixture
def clock(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file that says by how much the clock of the servers is wrong that this test starts."""
    file = tmp_path_factory.mktemp("clock") / "clock"
    for folder in (file.parent, file.parent.parent, file.parent.parent.parent):
        folder.chmod(0o755)
    file.write_text("+0")
    fake = {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    for name, value in {"LD_PRELOAD": str(LIBRARIES[0]), **fake}.items():
        monkeypatch.setitem(BARE_ENVIRONMENT, name, value)
    return file


@pytest.mark.skipif(not LIBRARIES, reason="clocks cannot be set wrong without libfaketime")
@pytest.mark.parametrize("jump", ["+60", "-60"])
def test_a_jump_of_the_databases_clock_takes_no_job_from_anybody(
    witnesses: str, clock: Path, own_lab: Lab, jump: str
) -> None:
    """T2: the clock of the database jumps."""
    own_lab.hosts("a", "b")
    own_lab.grown_up()
    own_lab.producer(kind="long", args=lambda _: {"ms": size(6_000, 20_000)}).enqueue(10)
    with own_lab.producer(rate=20, args=lambda n: {"ms": 50}):
        own_lab.works_again()
        clock.write_text(jump)
        at = time.time()
        resumed = own_lab.works_again() - at
        time.sleep(size(6, 60))
    own_lab.settle()

    witnessed = own_lab.conclude("T2", f"clock of the database {jump} s", seen_after=[resumed], target=3.0)
    assert not witnessed.rescues()


@pytest.mark.parametrize("policy", ["skip", "latest", "all"])
def test_ticks_of_a_time_without_any_host_follow_the_policy(lab: Lab, policy: str) -> None:
    """T5: no host runs for ten minutes in which ticks are due."""
    # One whose newest tick is too old to be on time, and whose next one is still far.
    period = next(seconds for seconds in range(70, 200) if 20 <= time.time() % seconds <= 25)
    newest = datetime.fromtimestamp(time.time() // period * period, UTC)
    ticks = [newest - timedelta(seconds=period) * n for n in range(600 // period, -1, -1)]
    with psycopg.connect(lab.database, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO riverrun_schedule (name, kind, expression, queue, missed, source, last_tick, created_at)"
            " VALUES ('each', 'work', %s, 'default', %s, 'api', %s, now() - interval '1 day')",
            (f"@every {period}s", policy, ticks[0] - timedelta(seconds=period)),
        )
    lab.hosts("a", more={"schedules": {"now": {"task_type": "work", "every": "1s"}}})
    lab.until("(SELECT count(*) >= 3 FROM riverrun_schedule_tick WHERE schedule = 'now')", within=60)

    found = [
        row[0] for row in lab.rows("SELECT tick FROM riverrun_schedule_tick WHERE schedule = 'each' ORDER BY tick")
    ]
    assert found == {"all": ticks, "latest": ticks[-1:], "skip": []}[policy]
    lab.conclude(
        "T5", f"nobody there for ten minutes, policy {policy}", promise=Promise(interval=86_400.0),
        note=f"{len(found)} of {len(ticks)} ticks enqueued",
    )  # fmt: skip


def test_no_tick_is_missed_or_doubled_when_leaders_change_all_the_time(lab: Lab) -> None:
    """T4: leaders of a schedule of one second are killed, stopped and frozen at random moments."""
    lab.hosts("a", "b", more=EACH_SECOND, roles=("scheduler",))
    lab.hosts("c", roles=("executor",))
    lab.until("EXISTS (SELECT FROM river_job)", within=60)
    seen: list[float] = []
    choices = [signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP]
    for turn in range(size(4, 300)):
        time.sleep(lab.random.uniform(0.1, 1.6))
        lab.until("EXISTS (SELECT FROM pg_locks JOIN riverrun_leader ON pid = backend_pid AND granted)", within=60)
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
        within=60,
    )

    lab.conclude("T4", f"{len(seen)} leaders changed with a schedule of 1 s", seen_after=seen, target=8.0)
