"""A database that restarts, crashes, loses sessions, has no room, is locked, or takes no writes."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from fault.lab import Lab, size
from support.eventually import eventually_sync
from support.proxy import Proxy

SESSIONS = "(SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'riverrun/%')"


def slow(number: int) -> dict[str, int]:
    """Return the arguments of a job of many, which are more than there are slots, so that some wait for a claim."""
    return {"ms": 300 + number % 5 * 200}


@pytest.mark.parametrize("crash", [pytest.param(False, marks=pytest.mark.quick), True], ids=["fast", "crash"])
def test_a_restart_of_the_database_ends_no_job_and_runs_none_twice(own_lab: Lab, crash: bool) -> None:
    """D1, D2: PostgreSQL is restarted, fast or by a crash, while jobs run."""
    own_lab.hosts("a", "b")
    resumed: list[float] = []
    with own_lab.producer(rate=30, args=lambda n: {"ms": 100 + n % 5 * 400}):
        own_lab.works_again()
        for _ in range(size(2, 9)):
            time.sleep(size(2, 15))
            own_lab.producer(args=slow).enqueue(100)
            own_lab.server.stop(crash=crash)
            accepted = own_lab.server.start()
            resumed.append(own_lab.works_again() - accepted)
        time.sleep(size(1, 10))
    own_lab.settle()

    witnessed = own_lab.conclude(
        "D2" if crash else "D1", f"database {'crashed' if crash else 'restarted fast'} {len(resumed)} times",
        seen_after=resumed, target=3.0, note="seen: first job after it accepts sessions",
    )  # fmt: skip
    assert not witnessed.rescues()


def test_a_crash_of_one_session_ends_no_job(own_lab: Lab) -> None:
    """D2: a server process is killed, and PostgreSQL ends all sessions and recovers."""
    own_lab.hosts("a")
    resumed: list[float] = []
    with own_lab.producer(rate=30, args=lambda n: {"ms": 100 + n % 5 * 400}):
        for _ in range(size(1, 5)):
            own_lab.works_again()
            time.sleep(1)
            own_lab.producer(args=slow).enqueue(100)
            own_lab.server.kill_backend()
            eventually_sync(lambda: own_lab.rows("SELECT 1"), within=60)
            accepted = time.time()
            resumed.append(own_lab.works_again() - accepted)
            time.sleep(1)
    own_lab.settle()

    witnessed = own_lab.conclude(
        "D2", f"server process killed {len(resumed)} times", seen_after=resumed, target=3.0,
        note="seen: first job after it accepts sessions",
    )  # fmt: skip
    assert not witnessed.rescues()


@pytest.mark.parametrize(
    ("function", "fault"), [("pg_terminate_backend", "D3"), ("pg_cancel_backend", "D4")], ids=["ended", "cancelled"]
)
def test_sessions_that_are_ended_or_cancelled_at_random_run_no_job_twice(lab: Lab, function: str, fault: str) -> None:
    """D3, D4: sessions of ours, whichever, are ended or cancelled five times a second."""
    lab.hosts("a", "b")
    query = (
        f"SELECT {function}(pid) FROM pg_stat_activity WHERE application_name LIKE 'riverrun/%'"
        " AND datname = current_database() AND application_name <> 'riverrun/client' ORDER BY random() LIMIT 1"
    )
    hits = 0
    with lab.producer(rate=40, args=lambda n: {"ms": 50 + n % 5 * 300}):
        lab.works_again()
        ends = time.monotonic() + size(8, 60)
        while time.monotonic() < ends:
            hits += len(lab.rows(query))
            time.sleep(0.2)
        healed = time.time()
        resumed = lab.works_again() - healed
        time.sleep(1)
    lab.settle()

    witnessed = lab.conclude(fault, f"{function} {hits} times", seen_after=[resumed], target=3.0)
    assert not witnessed.rescues()


@pytest.mark.parametrize(
    "half",
    [pytest.param("cut off", marks=pytest.mark.quick), "half open", "deaf to the client"],
)
def test_a_host_whose_connections_die_in_silence_works_again_within_seconds(lab: Lab, half: str) -> None:
    """D6: connections stay open and carry nothing, both ways or one; new ones work."""
    with Proxy(lab.database) as proxy:
        lab.hosts("a", database=proxy.dsn)
        with lab.producer(rate=30, args=lambda _: {"ms": 300}):  # some run in that moment, and have ended soon after
            lab.works_again()
            time.sleep(1)
            at = time.time()
            if half == "cut off":
                proxy.cut()
            elif half == "half open":
                proxy.half_open()
            else:
                proxy.black_hole(to_server=False)
                time.sleep(2.0)
                proxy.half_open()
                proxy.heal()
            before = lab.effects("begin")
            time.sleep(0.5)  # what was on its way
            resumed = lab.works_again() - at
        lab.settle()
        assert lab.effects("begin") > before

    lab.conclude("D6", f"connections {half}", seen_after=[resumed], target=5.0)


def test_many_clients_do_not_storm_a_database_that_has_no_room(own_lab: Lab) -> None:
    """D13: all connections are taken, ours end, and after a while there is room again."""
    own_lab.server.execute("ALTER ROLE riverrun CONNECTION LIMIT -1")
    with Proxy(own_lab.database) as proxy:
        own_lab.hosts("a", "b", database=proxy.dsn)
        with own_lab.producer(rate=20):
            own_lab.works_again()
            with _no_room(own_lab):
                before, began = proxy.accepted, time.monotonic()
                time.sleep(size(6, 30))
                tried = (proxy.accepted - before) / (time.monotonic() - began) / 2
            healed = time.time()
            resumed = own_lab.works_again() - healed
        own_lab.settle()

    witnessed = own_lab.conclude(
        "D13", f"no connection free for {size(6, 30)} s", seen_after=[resumed], target=5.0,
        note=f"{tried:.1f} attempts to connect a second and host",
    )  # fmt: skip
    assert not witnessed.rescues()
    assert tried <= 10


@pytest.mark.parametrize("own_lab", [{"max_connections": "40"}], indirect=True)
def test_a_pinned_horizon_costs_no_throughput(own_lab: Lab) -> None:
    """D15: an old transaction keeps VACUUM from removing anything."""
    own_lab.hosts("a")
    with own_lab.producer(rate=size(100, 300)):
        own_lab.works_again()
        time.sleep(size(4, 60))
        with psycopg.connect(own_lab.database) as pin:
            pin.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            pin.execute("SELECT txid_current()")
            at = time.time()
            own_lab.rows("VACUUM river_job")
            time.sleep(size(8, 600))
            until = time.time()
    own_lab.settle()

    # Compared with what was asked for meanwhile: what the machine does besides slows both.
    witnessed = own_lab.history()
    asked = sum(at <= enqueued.at < until for enqueued in witnessed.enqueued)
    ended = sum(at <= change.at < until for change in witnessed.changes if change.new_state == "completed")
    own_lab.conclude(
        "D15", f"vacuum horizon pinned for {size(8, 600)} s at {size(100, 300)} jobs/s",
        note=f"{ended} jobs ended and {asked} were enqueued while it was",
    )  # fmt: skip
    assert ended >= 0.9 * asked


@pytest.mark.parametrize(("mode", "against"), [("SHARE", "writes"), ("ACCESS EXCLUSIVE", "everything")])
def test_a_locked_table_piles_up_no_sessions_and_ends_no_term(lab: Lab, mode: str, against: str) -> None:
    """D16: somebody locks the table of the jobs."""
    lab.hosts("a", "b")
    with lab.producer(rate=30, args=lambda n: {"ms": 200}):
        lab.works_again()
        time.sleep(1)
        before = lab.rows(f"SELECT {SESSIONS}")[0][0]
        with _locked(lab, mode) as at:
            time.sleep(size(5, 20))
            during = lab.rows(f"SELECT {SESSIONS}")[0][0]
        healed = time.time()
        resumed = lab.works_again() - healed
    lab.settle()

    witnessed = lab.conclude(
        "D16", f"river_job locked against {against} for {size(5, 20)} s", seen_after=[resumed], target=3.0,
        note=f"{during} sessions while locked, {before} before",
    )  # fmt: skip
    assert during <= before + 4
    assert not witnessed.rescues()
    assert not [term for term in witnessed.terms if term.at > at]


def test_an_executor_that_dies_while_the_table_is_locked_costs_its_neighbours_nothing(lab: Lab) -> None:
    """D16, F1: an executor is killed while the table of the jobs is locked for longer than a lease lasts."""
    (host,) = lab.hosts("a", river={"queues": {"default": {"max_workers": 20, "processes": 2}}})
    lab.producer(kind="long", args=lambda _: {"ms": 18_000}).enqueue(20)
    lab.begun(20)
    with _locked(lab, "ACCESS EXCLUSIVE"):
        victim = host.child_pid("executor")
        host.send(signal.SIGKILL, "executor")
        time.sleep(12)
        healed = time.time()
    lab.settle()

    witnessed = lab.history()
    seen, _ = witnessed.taken_back([healed])
    lab.conclude("D16", "executor killed while river_job is locked for 12 s", seen_after=seen, target=3.0)
    died = {effect.job_id for effect in witnessed.effects if effect.executor == f"a:{victim}"}
    assert 0 < len(died) < 20
    assert {rescue.job_id for rescue in witnessed.rescues()} == died
    assert not [effect for effect in witnessed.effects if effect.phase == "stopped"]


def test_a_database_that_takes_no_writes_is_waited_for(own_lab: Lab) -> None:
    """D20: the server is read-only for a while."""
    hosts = own_lab.hosts("a", "b")
    with own_lab.producer(rate=30, args=lambda n: {"ms": 200}):
        own_lab.works_again()
        time.sleep(1)
        own_lab.server.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        own_lab.server.execute("SELECT pg_reload_conf()")
        time.sleep(size(5, 20))
        with psycopg.connect(
            own_lab.server.dsn(), autocommit=True, options="-c default_transaction_read_only=off"
        ) as conn:
            conn.execute("ALTER SYSTEM RESET default_transaction_read_only")
            conn.execute("SELECT pg_reload_conf()")
        healed = time.time()
        resumed = own_lab.works_again() - healed
    own_lab.settle()

    witnessed = own_lab.conclude("D20", f"read-only for {size(5, 20)} s", seen_after=[resumed], target=5.0)
    assert not witnessed.rescues()
    assert [child["restarts"] for host in hosts for child in host.status()["children"]] == [0] * 6


@contextmanager
def _locked(lab: Lab, mode: str) -> Iterator[float]:
    """Hold a lock on the table of the jobs, as somebody at a prompt may; give when it began."""
    with psycopg.connect(lab.database) as bully:
        bully.execute(f"LOCK TABLE river_job IN {mode} MODE".encode())
        yield time.time()


@contextmanager
def _no_room(lab: Lab) -> Iterator[None]:
    """Take every connection that there is, ours included, until the end of the block."""
    stop = threading.Event()
    taken: list[psycopg.Connection[tuple[object, ...]]] = []

    def take() -> None:
        while not stop.wait(0.01):
            try:
                taken.append(psycopg.connect(lab.server.dsn(), autocommit=True))
            except psycopg.OperationalError:
                continue

    thread = threading.Thread(target=take, name="guest", daemon=True)
    keeper = psycopg.connect(lab.server.dsn(), autocommit=True)
    thread.start()
    try:
        for _ in range(30):
            keeper.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'riverrun/%'"
            )
            time.sleep(0.05)
        yield
    finally:
        stop.set()
        thread.join(10)
        for conn in [*taken, keeper]:
            conn.close()
