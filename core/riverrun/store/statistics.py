"""What the fleet and its queues look like now, from statements whose cost does not grow with the history."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from riverrun.database.statements import Query, Row, Steps
from riverrun.job import JobState
from riverrun.pauses import Pause
from riverrun.store import listing
from riverrun.store.listing import Count
from riverrun.telemetry.metrics import RUN, WAIT

ALIVE_SECONDS = 30.0
"""A server that was silent for longer is shown as down."""

HISTOGRAM_MINUTES = 5
_SHOWN = (JobState.AVAILABLE, JobState.RUNNING, JobState.SCHEDULED, JobState.RETRYABLE)


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """One queue.

    Attributes:
        oldest_age_s: For how long its oldest due job has waited; None when none is due.
        pause: What was said when it was paused; None when it is not, or another client has paused it.
        max_workers: Slots a server set at run time; None: as each server is configured.
        max_workers_by_server: The same for single servers, where it is another number.
        slots: Slots of the executors that live, all servers together.
        completed_1m: Attempts that succeeded in the last whole minute; ``failed_1m``: retried and discarded ones.
        wait_p95_s: 95 of 100 attempts of the last 5 minutes waited no longer, up to the width of a bucket.
        run_p95_s: The same of their duration.
    """

    name: str
    paused_at: datetime | None
    pause: Pause | None
    available: Count
    running: Count
    scheduled: Count
    retryable: Count
    oldest_age_s: float | None
    max_workers: int | None
    max_workers_by_server: Mapping[str, int]
    slots: int
    executors: int
    completed_1m: int
    failed_1m: int
    wait_p95_s: float | None
    run_p95_s: float | None

    @property
    def unserved_s(self) -> float | None:
        """For how long its oldest due job has waited though no executor serves the queue and nobody has paused it."""
        return _unserved_s(self.paused_at, self.executors, self.oldest_age_s)


@dataclass(frozen=True, slots=True)
class Server:
    """One host that runs a daemon; ``leads`` says whether its scheduler is the leader."""

    server_id: str
    host: str
    pid: int
    version: str
    roles: tuple[str, ...]
    started_at: datetime
    heartbeat_at: datetime
    alive: bool
    executors: int
    slots: int
    leads: bool


@dataclass(frozen=True, slots=True)
class Executor:
    """One executor process that lives; ``busy`` jobs run in it now."""

    incarnation: str
    server_id: str
    queue: str
    slots: int
    pid: int
    started_at: datetime
    lease_until: datetime
    busy: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Everything that the overview shows, as of one moment of the database's clock."""

    states: dict[JobState, Count]
    queues: tuple[QueueStatistics, ...]
    servers: tuple[Server, ...]

    @property
    def leader(self) -> str | None:
        """The server whose scheduler leads, if one does."""
        return next((server.server_id for server in self.servers if server.leads), None)


def statistics() -> Steps[Statistics]:
    """Return the statistics of all states, queues and servers."""
    states = yield from listing.count_states()
    found = yield from queues()
    return Statistics(states, tuple(found), tuple((yield from servers())))


def of_queues(found: Statistics, names: Collection[str]) -> Steps[Statistics]:
    """Return what ``found`` says about the queues ``names`` alone; servers are of no queue and stay."""
    theirs = tuple(queue for queue in found.queues if queue.name in names)
    counts = yield from listing.count_states(queues=[queue.name for queue in theirs])
    states = {state: counts.get(state, Count(0, "gte")) for state in JobState}
    return Statistics(states, theirs, found.servers)


def queues() -> Steps[list[QueueStatistics]]:
    """Return every queue that is known, worked on, or has unfinished jobs, by name."""
    rows = yield Query("queue_list")
    summaries = yield Query("minute_summary", {"minutes": HISTOGRAM_MINUTES})
    by_queue = {summary[0]: summary for summary in summaries}
    counts = yield from listing.count_queues([row[0] for row in rows], _SHOWN)
    return [_queue(row, counts[row[0]], by_queue.get(row[0])) for row in rows]


def queue_names() -> Steps[list[str]]:
    """Return the names of these queues."""
    return [row[0] for row in (yield Query("queue_list"))]


def unserved() -> Steps[dict[str, float]]:
    """Return the queues that no executor serves though they are not paused: how many seconds their oldest job waits."""
    rows = yield Query("queue_list")
    waits = {row[0]: _unserved_s(row[1], row[4], _age_s(row[5], row[6])) for row in rows}
    return {name: seconds for name, seconds in waits.items() if seconds is not None}


def servers() -> Steps[list[Server]]:
    """Return the servers of the fleet, by name."""
    rows = yield Query("server_list", {"alive_seconds": ALIVE_SECONDS})
    return [_server(row) for row in rows]


def executors() -> Steps[list[Executor]]:
    """Return the executor processes that live, by server and queue."""
    rows = yield Query("executor_list", {"cap": listing.CAP})
    return [Executor(*row) for row in rows]


def served(names: Sequence[str]) -> Steps[set[str]]:
    """Return those of the queues ``names`` that have a living executor."""
    rows = yield Query("queue_served", {"queues": list(names)})
    return {row[0] for row in rows}


def percentile(buckets: Sequence[int], bounds: Sequence[float], *, fraction: float) -> float | None:
    """Return the value that ``fraction`` of the observations do not exceed, linear within its bucket.

    Args:
        buckets: Observations in each bucket, not cumulative; one more than ``bounds``, for those above the last.
        bounds: Upper bound of each bucket, ascending.
        fraction: From 0 to 1.

    Returns:
        None without observations; the last bound for those above it.
    """
    rank = fraction * sum(buckets)
    below, lower = 0, 0.0
    if rank <= 0:
        return None
    for jobs, upper in zip(buckets, bounds, strict=False):
        if jobs and below + jobs >= rank:
            return lower + (upper - lower) * (rank - below) / jobs
        below, lower = below + jobs, upper
    return bounds[-1]


def _unserved_s(paused_at: datetime | None, executors: int, oldest_age_s: float | None) -> float | None:
    return oldest_age_s if paused_at is None and not executors else None


def _age_s(oldest_due: datetime | None, as_of: datetime) -> float | None:
    return None if oldest_due is None else max(0.0, (as_of - oldest_due).total_seconds())


def _queue(row: Row, counts: Mapping[JobState, Count], summary: Row | None) -> QueueStatistics:
    name, paused_at, max_workers, slots, executors, oldest_due, as_of, by_server, reason, actor, resume_at = row
    return QueueStatistics(
        name=name,
        paused_at=paused_at,
        pause=None if reason is None else Pause(reason, actor, resume_at),
        available=counts[JobState.AVAILABLE],
        running=counts[JobState.RUNNING],
        scheduled=counts[JobState.SCHEDULED],
        retryable=counts[JobState.RETRYABLE],
        oldest_age_s=_age_s(oldest_due, as_of),
        max_workers=max_workers,
        max_workers_by_server=orjson.loads(by_server),
        slots=slots,
        executors=executors,
        completed_1m=summary[1] if summary else 0,
        failed_1m=summary[2] if summary else 0,
        wait_p95_s=percentile(summary[4], WAIT, fraction=0.95) if summary else None,
        run_p95_s=percentile(summary[3], RUN, fraction=0.95) if summary else None,
    )


def _server(row: Row) -> Server:
    server_id, host, pid, version, roles, started_at, heartbeat_at, alive, executors, slots, leads = row
    return Server(
        server_id=server_id,
        host=host,
        pid=pid,
        version=version,
        roles=tuple(roles),
        started_at=started_at,
        heartbeat_at=heartbeat_at,
        alive=alive,
        executors=executors,
        slots=slots,
        leads=leads,
    )
