"""What the database alone allows: our own statements, driven by pgbench, with nobody running a job.

And what of a job's latency is over before any worker can know of the job.
"""

from __future__ import annotations

import math
import os
import random
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from bench.server import Server
from riverrun import Client
from riverrun.claimed_job import ClaimedJob
from riverrun.database.statements import Query, Statements, Steps
from riverrun.settings.connection import url_from_conninfo
from riverrun.store import attempts
from riverrun_cli.bench.machine import server_process, tree_seconds
from riverrun_cli.bench.spread import percentile
from riverrun_executor.floors import NOWHERE
from riverrun_executor.pace import MAX_CLAIM

ME = "pgbench:000000000000"
QUEUE = "bench"
SPARE_BATCHES = 4
LEAST_SHARE = 0.9


def ceiling(server: Server, template: str, *, clients: int, jobs: int) -> dict[str, float]:
    """Return how many jobs a second ``clients`` sessions claim and complete, with no other work in between.

    And what a job costs the server, in microseconds of processor time, where the system tells.
    """
    database = "ceiling"
    dsn = server.create(database, template=template)
    turns = math.ceil(jobs / MAX_CLAIM / clients)
    with Client(dsn) as client:
        waiting = (turns * clients + SPARE_BATCHES) * MAX_CLAIM
        client.copy_in({"kind": "noop", "args": {"n": number}, "queue": QUEUE} for number in range(waiting))
    with server.connect(database) as conn, tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "claim_and_complete.sql")
        script.write_text(_script(conn), encoding="utf-8")
        settings = {**attempts.PLANS, "jit": "off"}
        count = [f"--client={clients}", f"--jobs={clients}", f"--transactions={turns}"]
        server_pid = server_process(conn)
        used = tree_seconds([server_pid]) if server_pid else 0.0
        done = subprocess.run(
            [str(server.pgbench), "--no-vacuum", *count, f"--file={script}", url_from_conninfo(dsn)],
            env={**os.environ, "PGOPTIONS": " ".join(f"-c {name}={value}" for name, value in settings.items())},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"pgbench failed: {done.stderr.strip()}")
        used = tree_seconds([server_pid]) - used if server_pid else 0.0
        (completed,) = conn.execute(
            "SELECT count(*) FROM river_job WHERE state = 'completed' AND attempted_by[1] = %s", [ME]
        ).fetchone() or (0,)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if found is None:
        raise RuntimeError(f"pgbench said no rate:\n{done.stdout}")
    # A completion passes by a row that the other session's claim, with an older snapshot, has just locked in vain.
    share = completed / (turns * clients * MAX_CLAIM)
    if share < LEAST_SHARE:
        raise RuntimeError(f"pgbench completed only {share:.0%} of the jobs")
    return {
        "jobs_per_second": float(found[1]) * MAX_CLAIM * share,
        "server_microseconds_per_job": used / completed * 1e6,
    }


def enqueue_alone(server: Server, template: str, *, jobs: int) -> dict[str, float]:
    """Return for how many milliseconds a call runs that enqueues one job where nobody works.

    It returns when the job is on disk, and PostgreSQL tells nobody of a job before that.
    """
    pauses = random.Random(1)  # as in the measurement of latency
    waits = []
    with Client(server.create("enqueue_alone", template=template)) as client:
        for number in range(jobs):
            time.sleep(pauses.uniform(0.02, 0.05))
            before = time.monotonic_ns()
            client.enqueue("noop", {"n": number}, queue=QUEUE)
            waits.append((time.monotonic_ns() - before) / 1e6)
    return {f"p{percent}_ms": percentile(waits, percent) for percent in (50, 95, 99)}


def _script(conn: Connection[Any]) -> str:
    """Return both statements with the parameters that an executor gives; a claim's answer goes into the completion."""
    claim = _inlined(conn, next(_claim()))
    job = ClaimedJob((0, "noop", "{}", 1, 25, 1, "{}", [], 0, 0, 0, 0), QUEUE)
    query = next(attempts.complete([job], ME))
    assert isinstance(query, Query)
    arrays = {"ids": "id", "attempts": "attempt", "attempted_us": "attempted_us"}
    complete = _inlined(conn, Query(query.name, {**query.params, **{name: f":{name}" for name in arrays}}))
    gathered = ", ".join(f"array_agg({column})::text AS {name}" for name, column in arrays.items())
    commit = "set_config('synchronous_commit', '{}', false)"
    return (
        f"WITH claimed AS ({claim}) SELECT {gathered}, {commit.format('off')} AS claim_commit FROM claimed \\gset\n"
        f"WITH done AS ({complete}) SELECT count(*), {commit.format('on')} FROM done;\n"
    )


def _claim() -> Steps[list[ClaimedJob]]:
    return attempts.claim(QUEUE, slots=MAX_CLAIM, incarnation=ME, floors_us=NOWHERE.us, floor_ids=NOWHERE.ids)


def _inlined(conn: Connection[Any], step: object) -> str:
    """Return the text of a statement with its parameters written out, on one line without comments."""
    assert isinstance(step, Query)
    text = psycopg.ClientCursor(conn).mogrify(Statements().text(step.name), step.params)
    return re.sub(r"\s+", " ", re.sub(r"--.*", "", text))
