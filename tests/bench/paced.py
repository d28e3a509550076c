"""How long jobs wait while so many a second are enqueued as a fleet can well bear, which is what users have."""

from __future__ import annotations

import time

from riverrun.bench_handlers import STAMP
from riverrun.job_spec import JobSpec
from riverrun.store import bench as store
from riverrun_cli.bench.run import QUEUE, Place, finished_at

JOBS_PER_SECOND, BATCH = 2_000, 20


def paced(place: Place, *, seconds: float) -> list[float]:
    """Enqueue 2,000 jobs a second, twenty at a time; return the milliseconds that each waited for its handler.

    They count from the moment when the job was to be enqueued, so that a client that was held up hides nothing.
    """
    due: dict[int, float] = {}
    started = time.monotonic()
    for number in range(int(seconds * JOBS_PER_SECOND / BATCH)):
        moment = started + number * BATCH / JOBS_PER_SECOND
        time.sleep(max(0.0, moment - time.monotonic()))
        specs: list[JobSpec] = [{"kind": STAMP, "args": {}, "queue": QUEUE} for _ in range(BATCH)]
        due |= {result.job.id: moment for result in place.client.enqueue_many(specs)}
    finished_at(place, min(due), max(due), lambda _: None)
    began = place.statements.run_sync(place.conn, store.outputs(list(due)))
    return [began[job_id] / 1e6 - moment * 1e3 for job_id, moment in due.items()]
