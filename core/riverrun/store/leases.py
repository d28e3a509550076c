"""What a supervisor writes about its executors: that they live, and what becomes of their jobs when they do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from datetime import timedelta

from riverrun.database.statements import Query, Steps
from riverrun.sanitize import clean_json, clean_text
from riverrun.store import rescue
from riverrun.store.rescue import RescuedJob
from riverrun.transition import MAX_TRACE_BYTES

LEASE = timedelta(seconds=10)
"""How long an executor is believed to live after its lease was renewed."""

LEASE_MARGIN = timedelta(seconds=1)
"""By so much an executor stops before its lease ends, and others wait after it has."""

HOST_LOCK_CLASS = 0x52766C68
"""First half of the key of a host's lock; the second is made from the schema and the server id."""


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """The daemon of one host, as others see it."""

    server_id: str
    host: str
    pid: int
    version: str
    roles: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class LastHeard:
    """Who used a server id last, and for how long nothing was heard of it."""

    host: str
    pid: int
    silent: timedelta


@dataclasses.dataclass(frozen=True, slots=True)
class LivingExecutor:
    """One executor process that its supervisor knows to live."""

    incarnation: str
    queue: str
    slots: int
    pid: int


@dataclasses.dataclass(frozen=True, slots=True)
class Death:
    """How an executor process ended in the middle of its jobs.

    Attributes:
        reason: A sentence about it.
        counts: Whether one of its jobs may be at fault; false when somebody ended it on purpose.
        alone: Whether it was an isolated executor, so that the job that ran is at fault.
        by_hand: Whether somebody killed it for reasons of their own, so that even a job that ran alone may be innocent.
        overran: The job that kept it from answering until it was killed, where that is certain.
        peak_bytes: The most memory that it was seen to use.
        last_words: The end of what it wrote.
    """

    reason: str
    counts: bool = True
    alone: bool = False
    by_hand: bool = False
    overran: int | None = None
    peak_bytes: int | None = None
    last_words: str = ""


def hold(server_id: str) -> Steps[bool]:
    """Let this session hold the host's lock for as long as it lasts; return False while another session has it."""
    (row,) = yield Query("server_hold", {"host_class": HOST_LOCK_CLASS, "server_id": server_id})
    return bool(row[0])


def renew(server: Server, executors: Sequence[LivingExecutor]) -> Steps[None]:
    """Show that ``server`` and ``executors`` live, the latter for another `LEASE` from the database's now."""
    yield Query(
        "executor_lease_renew",
        {
            "server_id": server.server_id,
            "host": server.host,
            "pid": server.pid,
            "version": server.version,
            "roles": list(server.roles),
            "lease": LEASE,
            "incarnations": [executor.incarnation for executor in executors],
            "queues": [executor.queue for executor in executors],
            "slots": [executor.slots for executor in executors],
            "pids": [executor.pid for executor in executors],
        },
    )


def renew_own(executor: LivingExecutor, *, server_id: str) -> Steps[None]:
    """Show that an executor without a supervisor lives, for another `LEASE` from the database's now."""
    yield Query("executor_lease_renew_own", {**dataclasses.asdict(executor), "server_id": server_id, "lease": LEASE})


def release_incarnation(incarnation: str, *, reason: str) -> Steps[list[RescuedJob]]:
    """Take back the running jobs of an executor that is known to be dead, then forget its lease.

    A job that finalized in the same moment is left as it is. One that is locked just now is left to the scheduler, and
    so is the lease, which runs out.

    Args:
        incarnation: Last element of ``attempted_by`` of the jobs.
        reason: Why the attempt ended; a sentence for whoever reads the job's errors.
    """
    lost = yield from rescue.running_of(incarnation)
    rescued = (yield from rescue.rescue(lost, {"dead": reason})) if lost else []
    if len(rescued) == len(lost):
        yield from drop(incarnation)
    return rescued


def settle(incarnation: str, death: Death) -> Steps[tuple[list[RescuedJob], bool]]:
    """Take back the running jobs of an executor that has ended, and forget its lease when none is left.

    A job that overran ends like one that timed out. The others are given back with their attempt; from its second
    crash on a job is ``pending`` until the isolated executor of its queue claims it, and ``discarded`` if it crashes
    there. If that one was killed by hand, the job waits for the next one, up to its 25th crash or as many as attempts.

    Returns:
        The jobs, and whether none is left; those that are locked just now are.
    """
    rescued: list[RescuedJob] = []
    if death.overran is not None:
        lost = [job for job in (yield from rescue.running_of(incarnation)) if job.id == death.overran]
        rescued = (yield from rescue.rescue(lost, {"dead": death.reason})) if lost else []
    rows = yield Query(
        "job_crashed",
        {
            "incarnation": incarnation,
            "counts": death.counts,
            "alone": death.alone,
            "by_hand": death.by_hand,
            "reason": death.reason,
            "details": clean_json({"reason": death.reason, "peak_bytes": death.peak_bytes}),
            "last_words": clean_text(death.last_words, MAX_TRACE_BYTES),
        },
    )
    rescued += [RescuedJob(*row) for row in rows]
    left = yield from rescue.running_of(incarnation)
    if not left:
        yield from drop(incarnation)
    return rescued, not left


def isolated_queues(queues: Collection[str]) -> Steps[list[str]]:
    """Return those of ``queues`` in which a job waits for an isolated executor."""
    rows = yield Query("queue_isolated", {"queues": list(queues)})
    return [row[0] for row in rows]


def drop(incarnation: str) -> Steps[None]:
    """Forget an executor that ended cleanly and gave back all its jobs."""
    yield Query("executor_lease_drop", {"incarnation": incarnation})


def left_behind(server_id: str) -> Steps[list[str]]:
    """Return the incarnations that an earlier supervisor of this server did not see out."""
    rows = yield Query("executor_of_server", {"server_id": server_id})
    return [row[0] for row in rows]


def last_heard(server_id: str) -> Steps[LastHeard | None]:
    """Return who was last known as ``server_id``; None if nobody was."""
    rows = yield Query("server_heartbeat", {"server_id": server_id})
    return LastHeard(rows[0][0], rows[0][1], timedelta(seconds=rows[0][2])) if rows else None


def forget_server(server_id: str, *, pid: int) -> Steps[None]:
    """Forget a server that has stopped, unless another process has taken its name since."""
    yield Query("server_delete", {"server_id": server_id, "pid": pid})
