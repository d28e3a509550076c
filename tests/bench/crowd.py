"""What crowds cost: the job path beside nobody, beside a crowd at the admin process, and beside the same one elsewhere.

Victims, database and crowd share the processors, so a crowd would slow the jobs down although nobody answered it. The
same crowd therefore visits a server that does nothing as well, and what the admin process adds is told apart. The three
take turns of a second, in every order, and each turn is compared with those beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import cycle, permutations
from statistics import median
from typing import Any, cast

import psycopg

from bench.admin_process import AdminProcess, admin_process
from bench.crowds import CROWDS, READERS
from bench.paced import paced
from bench.pairs import Interval, ratio
from bench.seeded import migrate
from riverrun import Client
from riverrun.database.connect import session_dsn
from riverrun.database.statements import Statements
from riverrun_cli.bench import run
from riverrun_cli.bench.executors import Executors, running
from riverrun_cli.bench.machine import process_seconds
from riverrun_cli.bench.run import QUEUE, Place
from riverrun_cli.bench.spread import Spread, percentile

JOBS, SECONDS_EACH, FEWEST_PAIRS, CLOSE = 30_000, 95.0, 12, 0.05
PACED_EVERY, PACED_SECONDS = 5, 2.0
NORMAL_SECONDS, NORMAL_JOBS_PER_SECOND = 15.0, 20
SETTLE_SECONDS, STOP_SECONDS = 0.3, 10.0

NOBODY, NOTHING, ADMIN = "nobody", "nothing", "admin"
WHERE = (NOBODY, NOTHING, ADMIN)


@dataclass(frozen=True, slots=True)
class Scene:
    """The jobs' side, and the two servers that a crowd can visit."""

    place: Place
    executors: Executors
    admin: AdminProcess
    nothing: int

    def port(self, where: str) -> int | None:
        """Return where the crowd of a turn goes; None: there is none."""
        return {NOBODY: None, NOTHING: self.nothing, ADMIN: self.admin.port}[where]

    def clear(self) -> None:
        """Give every turn the same table."""
        self.place.conn.execute("TRUNCATE river_job")

    def drain(self) -> float:
        """Return how many jobs a second the executor works off."""
        return run.drain(self.place, self.executors, jobs=JOBS, advance=lambda _: None)["jobs_per_second"]


@dataclass(slots=True)
class Turns:
    """What was found in the turns of one crowd, by where it was."""

    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    waits: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    cores: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def beside(self, base: str) -> Interval:
        """Return the jobs a second beside a crowd at the admin process, as a part of those of ``base``."""
        return ratio(self.rates[ADMIN], self.rates[base])

    @property
    def pairs(self) -> int:
        """How many there are to compare."""
        return len(self.rates[ADMIN])

    @property
    def are_close(self) -> bool:
        """Whether more pairs would say nothing new."""
        return max(self.beside(base).reach for base in (NOBODY, NOTHING)) <= CLOSE


def crowd(url: str) -> dict[str, Any]:
    """Return what each crowd does to the jobs, and what the admin process and the crowd used."""
    migrate(url)
    with _scene(url) as scene:
        normal = _normal(scene)
        scene.drain()
        return {"normal": normal, "crowds": {name: _measured(scene, name) for name in CROWDS}}


def _measured(scene: Scene, name: str) -> dict[str, Any]:
    turns, quiet_memory, until = Turns(), scene.admin.memory_mb, time.monotonic() + SECONDS_EACH
    with _crowd(name) as there:
        for number, order in enumerate(cycle(permutations(WHERE))):
            for where in order:
                _take_turn(scene, there, turns, where, with_load=number % PACED_EVERY == 0)
            if turns.pairs >= FEWEST_PAIRS and (turns.are_close or time.monotonic() > until):
                break
    return {
        "pairs": turns.pairs,
        "jobs_per_second": {where: round(median(turns.rates[where])) for where in WHERE},
        "to_nobody": asdict(turns.beside(NOBODY)),
        "to_nothing": asdict(turns.beside(NOTHING)),
        "waits_ms": {where: _waits(turns.waits[where]) for where in WHERE},
        "cores": {what: round(median(each), 4) for what, each in turns.cores.items()},
        "memory_mb": {"before": round(quiet_memory, 1), "after": round(scene.admin.memory_mb, 1)},
        "statuses": {str(status): times for status, times in sorted(there.told[scene.admin.port].items())},
    }


def _take_turn(scene: Scene, there: Visitors, turns: Turns, where: str, *, with_load: bool) -> None:
    scene.clear()
    with there.at(scene.port(where)):
        since = time.monotonic()
        before = process_seconds([scene.admin.pid]), process_seconds([there.pid])
        turns.rates[where].append(scene.drain())
        if with_load:
            turns.waits[where].append(paced(scene.place, seconds=PACED_SECONDS))
        if where == ADMIN:
            after = process_seconds([scene.admin.pid]), process_seconds([there.pid])
            for what, now, earlier in zip(("admin", "crowd"), after, before, strict=True):
                turns.cores[what].append((now - earlier) / (time.monotonic() - since))


def _waits(turns: list[list[float]]) -> dict[str, dict[str, float]]:
    """Return p50 and p99 of the turns, each with the lowest and the highest."""
    return {
        f"p{percent}": {
            name: round(value, 2)
            for name, value in asdict(Spread.of([percentile(each, percent) for each in turns])).items()
        }
        for percent in (50, 99)
    }


def _normal(scene: Scene) -> dict[str, float]:
    """Return what readers cost while a few jobs a second are enqueued, in processors."""
    with _crowd("readers") as readers, readers.at(scene.admin.port):
        before, since = scene.admin.cpu_seconds, time.monotonic()
        while (passed := time.monotonic() - since) < NORMAL_SECONDS:
            scene.place.client.enqueue("bench:normal", {}, queue="crowd")
            time.sleep(max(0.0, 1 / NORMAL_JOBS_PER_SECOND - (time.monotonic() - since - passed)))
        cores = (scene.admin.cpu_seconds - before) / passed
    return {"readers": READERS, "jobs_per_second": NORMAL_JOBS_PER_SECOND, "cores": round(cores, 4)}


class Visitors:
    """A crowd that waits in a process of its own to be sent somewhere; ``told`` counts by port and status."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.told: dict[int, Counter[int]] = defaultdict(Counter)

    @contextmanager
    def at(self, port: int | None) -> Iterator[None]:
        """Have the crowd at ``port`` while the block runs."""
        if port is not None:
            self._ask(f"come {port}")
        time.sleep(SETTLE_SECONDS)
        try:
            yield
        finally:
            if port is not None:
                told = cast("dict[str, int]", json.loads(self._ask("leave")))
                self.told[port].update({int(status): times for status, times in told.items()})

    def _ask(self, line: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@contextmanager
def _crowd(name: str) -> Iterator[Visitors]:
    with _python("bench.crowds", name) as process:
        yield Visitors(process)


@contextmanager
def _scene(url: str) -> Iterator[Scene]:
    session = session_dsn(url, name="riverrun/bench", session={"statement_timeout": "0"})
    with (
        admin_process(url) as admin,
        _python("bench.nothing") as server,
        Client(url) as client,
        psycopg.connect(session, autocommit=True) as conn,
        running(url, queue=QUEUE) as executors,
    ):
        assert server.stdout
        yield Scene(Place(client, conn, Statements()), executors, admin, int(server.stdout.readline()))


@contextmanager
def _python(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module of ours beside us while the block runs."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
