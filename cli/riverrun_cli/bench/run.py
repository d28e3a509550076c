"""The measurements: each fills the queue, lets real executors or a real client work, and returns its figures."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from riverrun import Client
from riverrun.bench_handlers import NOTHING, STAMP
from riverrun.database.statements import Statements
from riverrun.job_spec import JobSpec
from riverrun.store import bench as store
from riverrun_cli.bench import machine
from riverrun_cli.bench.executors import Executors
from riverrun_cli.bench.spread import percentile

QUEUE = "bench"
POLL_SECONDS = 0.01
BATCH, BACKLOG = 1_000, 10_000
TAIL = 10_000
"""How far before the last job those that are not finished yet can be: more than all executors hold."""

Figures = dict[str, float]
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Place:
    """Where it is measured.

    Attributes:
        client: Enqueues, as users do.
        conn: Watches, on a connection of its own.
        statements: SQL of the schema.
    """

    client: Client
    conn: Connection[Any]
    statements: Statements

    def left(self, after: int) -> store.Left:
        """Return how far the run is."""
        return self.statements.run_sync(self.conn, store.left(QUEUE, after=after))


def enqueue(place: Place, *, how: str, jobs: int, advance: Advance) -> Figures:
    """Enqueue ``jobs`` jobs one by one (``single``), a thousand a statement (``many``), or by COPY (``copy``)."""
    started = time.monotonic()
    if how == "single":
        for number in range(jobs):
            place.client.enqueue(NOTHING, {"n": number}, queue=QUEUE)
            advance(1)
    elif how == "many":
        for batch in _batches(jobs):
            place.client.enqueue_many(batch)
            advance(len(batch))
    else:
        place.client.copy_in(_counted(jobs, advance))
    seconds = time.monotonic() - started
    return {"jobs_per_second": jobs / seconds, "seconds": seconds}


def drain(place: Place, executors: Executors, *, jobs: int, advance: Advance) -> Figures:
    """Let idle executors work off jobs that appear all at once; the clock runs from the first claim to the last row."""
    pids = executors.pids
    cpu = machine.process_seconds(pids)
    place.client.copy_in(_specs(jobs))
    (last,) = place.conn.execute("SELECT max(id) FROM river_job WHERE queue = %s", [QUEUE]).fetchone() or (0,)
    first = last - jobs + 1
    ended = finished_at(place, first, last, advance)
    cpu = machine.process_seconds(pids) - cpu
    seconds = ended - place.statements.run_sync(place.conn, store.started_at(first, last))
    return {
        "jobs_per_second": jobs / seconds,
        "seconds": seconds,
        "executor_microseconds_per_job": cpu / jobs * 1e6,
        "executor_mib": max(map(machine.resident_bytes, pids), default=0) / 2**20,
    }


def sustained(place: Place, *, seconds: float, advance: Advance) -> Figures:
    """Enqueue as fast as the executors work, for ``seconds``, and count what was finished within them."""
    first, enqueued, done = 0, 0, 0
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if enqueued - done < BACKLOG:
            results = place.client.enqueue_many(_specs(BATCH))
            first = first or results[0].job.id
            enqueued += BATCH
        else:
            time.sleep(POLL_SECONDS)
        next_id = place.left(first + enqueued).next_id
        reached = enqueued if next_id is None else next_id - first
        advance(max(0, reached - done))
        done = max(done, reached)
    elapsed = time.monotonic() - started
    finished = place.statements.run_sync(place.conn, store.finished(first))
    return {"jobs_per_second": finished / elapsed, "enqueued_per_second": enqueued / elapsed, "seconds": elapsed}


def latency(place: Place, *, jobs: int, advance: Advance) -> Figures:
    """Enqueue single jobs for idle executors: milliseconds from just before the call to the handler's first line."""
    pauses = random.Random(1)  # noqa: S311 - spreads jobs over the ticks of every timer, the same way each time
    called: dict[int, int] = {}
    for _ in range(jobs):
        time.sleep(pauses.uniform(0.02, 0.05))
        before = time.monotonic_ns()
        called[place.client.enqueue(STAMP, {}, queue=QUEUE).job.id] = before
        advance(1)
    finished_at(place, min(called), max(called), lambda _: None)
    began = place.statements.run_sync(place.conn, store.outputs(list(called)))
    waits = [(began[job_id] - before) / 1e6 for job_id, before in called.items()]
    return {f"p{percent}_ms": percentile(waits, percent) for percent in (50, 95, 99)} | {"highest_ms": max(waits)}


def finished_at(place: Place, first: int, last: int, advance: Advance) -> float:
    """Wait until the jobs ``first`` to ``last`` are finalized; return when that was seen, by the database's clock."""
    done = 0
    while True:
        left = place.left(last - TAIL)
        reached = last - first + 1 if left.next_id is None else left.next_id - first
        advance(max(0, reached - done))
        done = max(done, reached)
        if left.next_id is None and not left.unfinished and not place.left(0).unfinished:
            return left.clock
        time.sleep(POLL_SECONDS)


def _batches(jobs: int) -> Iterator[list[JobSpec]]:
    for start in range(0, jobs, BATCH):
        yield _specs(min(BATCH, jobs - start))


def _specs(jobs: int) -> list[JobSpec]:
    return [{"kind": NOTHING, "args": {"n": number}, "queue": QUEUE} for number in range(jobs)]


def _counted(jobs: int, advance: Advance) -> Iterator[JobSpec]:
    for number in range(jobs):
        yield {"kind": NOTHING, "args": {"n": number}, "queue": QUEUE}
        if number % BATCH == BATCH - 1:
            advance(BATCH)
