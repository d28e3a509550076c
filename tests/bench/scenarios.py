"""What is measured, the same way for every system."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.server import Server
from bench.session import Session, TooSlow, session
from bench.systems import OURS, Environment, System
from riverrun_cli.bench.spread import percentile

FINISHED_BEFORE = 5_000
BATCH, BACKLOG = 1_000, 10_000
WITHIN = 240.0
"""Seconds that one measurement may take."""

Figures = dict[str, float]


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        jobs: Jobs of a drain and a bulk enqueue.
        long: Jobs of the measurement with a pinned horizon, of which the last ``jobs`` are timed.
        single: Jobs that are enqueued one by one.
        latency: Jobs whose latency is measured.
        seconds: Length of sustained work.
    """

    jobs: int = 20_000
    long: int = 220_000
    single: int = 1_000
    latency: int = 300
    seconds: float = 15.0


@dataclass(frozen=True)
class Place:
    """One system on one database of its own, which holds finished jobs and is vacuumed and analysed."""

    server: Server
    environment: Environment
    database: str
    unfinished: str
    sizes: Sizes

    def session(self, stack: ExitStack) -> Session:
        """Open a driver for as long as ``stack`` lasts."""
        return stack.enter_context(session(self.environment, self.server.dsn(self.database)))

    def wait_finished(self) -> float:
        """Wait until no job is left unfinished; return when that was seen.

        Raises:
            TooSlow: It took too long.
        """
        deadline = time.monotonic() + WITHIN
        with self.server.connect(self.database) as conn:
            while _true(conn.execute(self.unfinished.encode()).fetchone()):
                if time.monotonic() > deadline:
                    raise TooSlow(f"jobs are unfinished after {WITHIN:g} s")
                time.sleep(0.01)
        return time.monotonic()


@dataclass(frozen=True)
class Scenario:
    """One thing to measure.

    Attributes:
        key: Its name in the results.
        run: Measures it.
        jobs: How many jobs it takes of given sizes, for systems that are given a share of them; 0: none.
        ours: Whether only Riverrun is measured.
        pinned: Whether only systems take part that are fast enough for the long measurement.
    """

    key: str
    run: Callable[[Place, int], Figures]
    jobs: Callable[[Sizes], int]
    ours: bool = False
    pinned: bool = False

    def concerns(self, system: System) -> bool:
        """Return whether ``system`` takes part."""
        return (not self.ours or system.name == OURS) and (not self.pinned or system.pinned)


def prepare(server: Server, system: System, environment: Environment) -> dict[str, Any]:
    """Make the database that all runs of ``system`` begin with, and return what the system says of itself."""
    template = f"{system.identifier}_template"
    dsn = server.create(template)
    with session(environment, dsn) as driver:
        said = driver.do("setup")
        before = max(200, int(FINISHED_BEFORE * system.share))
        driver.do("enqueue_bulk", jobs=before)
        driver.do("work", processes=1)
        driver.wait_handled(before, within=WITHIN)
        Place(server, environment, template, said["unfinished"], Sizes()).wait_finished()
    with server.connect(template) as conn:
        conn.execute("VACUUM ANALYZE")
    return said


def enqueue(verb: str, place: Place, jobs: int) -> Figures:
    """Enqueue jobs while nobody works."""
    with ExitStack() as stack:
        seconds = place.session(stack).do(verb, jobs=jobs)["seconds"]
    return {"jobs_per_second": jobs / seconds}


def drain(processes: int, place: Place, jobs: int, *, kind: str = "noop", slots: int | None = None) -> Figures:
    """Work off jobs that wait: from the first call of a handler until the database has no unfinished job."""
    with ExitStack() as stack:
        driver = place.session(stack)
        driver.do("enqueue_bulk", jobs=jobs, kind=kind)
        options = {} if slots is None else {"slots": slots}
        driver.do("work", processes=processes, kind=kind, **options)
        driver.wait_handled(jobs, within=WITHIN)
        seconds = place.wait_finished() - driver.reports.first
        time.sleep(0.05)  # the last reports
        return {"jobs_per_second": jobs / seconds, **_costs(driver, jobs)}


def sustained(place: Place, _jobs: int) -> Figures:
    """Enqueue in thousands while one process works; the backlog is bounded, so neither side can starve the other."""
    with ExitStack() as stack:
        driver = place.session(stack)
        driver.do("work", processes=1)
        enqueued = 0
        started = time.monotonic()
        while time.monotonic() - started < place.sizes.seconds:
            if enqueued - driver.reports.handled < BACKLOG:
                driver.do("enqueue_bulk", jobs=BATCH)
                enqueued += BATCH
            else:
                time.sleep(0.002)
        seconds = time.monotonic() - started
        return {"jobs_per_second": driver.reports.handled / seconds, "enqueued_per_second": enqueued / seconds}


def latency(place: Place, _jobs: int) -> Figures:
    """Enqueue single jobs for an idle worker: milliseconds until the handler's first line."""
    with ExitStack() as stack:
        driver = place.session(stack)
        driver.do("work", processes=1)
        return _latency(driver, place.sizes.latency)


def long_drain(pinned: bool, place: Place, _jobs: int) -> Figures:
    """Work off many jobs and time the last ones; ``pinned``: an old transaction keeps all dead rows meanwhile."""
    sizes = place.sizes
    with ExitStack() as stack:
        if pinned:
            pin = stack.enter_context(place.server.connect(place.database))
            pin.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            pin.execute("SELECT count(*) FROM pg_class")
        driver = place.session(stack)
        driver.do("enqueue_bulk", jobs=sizes.long)
        driver.do("work", processes=1)
        began = driver.wait_handled(sizes.long - sizes.jobs, within=WITHIN)
        driver.wait_handled(sizes.long, within=WITHIN)
        seconds = place.wait_finished() - began
        waits = _latency(driver, min(50, sizes.latency))
        figures = {"jobs_per_second": sizes.jobs / seconds, **_costs(driver, sizes.long)}
        return figures | {f"latency_{name}": value for name, value in waits.items()}


def _latency(driver: Session, jobs: int) -> Figures:
    before = driver.reports.handled
    time.sleep(0.5)
    driver.do("latency", jobs=jobs)
    driver.wait_handled(before + jobs, within=30)
    time.sleep(0.05)
    return {f"p{percent}_ms": percentile(driver.reports.waits, percent) for percent in (50, 95, 99)}


def _costs(driver: Session, jobs: int) -> Figures:
    """Return processor time per job and memory of the workers, from the first call of a handler on."""
    reports = driver.reports
    return {
        "worker_microseconds_per_job": (reports.total("cpu") - reports.total("cpu_at_first")) / jobs * 1e6,
        "worker_mib_at_first": reports.total("rss_at_first") / len(reports.latest) / 2**20,
        "worker_mib": reports.total("rss") / len(reports.latest) / 2**20,
    }


def _true(row: tuple[Any, ...] | None) -> bool:
    return row is not None and bool(row[0])


SCENARIOS = (
    Scenario("bulk", partial(enqueue, "enqueue_bulk"), lambda sizes: sizes.jobs),
    Scenario("single", partial(enqueue, "enqueue_single"), lambda sizes: sizes.single),
    Scenario("drain_1", partial(drain, 1), lambda sizes: sizes.jobs),
    Scenario("drain_2", partial(drain, 2), lambda sizes: sizes.jobs),
    Scenario("sustained", sustained, lambda _: 0),
    Scenario("latency", latency, lambda _: 0),
    Scenario("free", partial(long_drain, False), lambda _: 0, pinned=True),
    Scenario("pinned", partial(long_drain, True), lambda _: 0, pinned=True),
    Scenario("sleep", partial(drain, 1, kind="sleep", slots=200), lambda sizes: sizes.jobs, ours=True),
    Scenario("thread", partial(drain, 1, kind="thread", slots=50), lambda sizes: sizes.jobs, ours=True),
    Scenario("http", partial(drain, 1, kind="http", slots=200), lambda sizes: sizes.jobs, ours=True),
)
