"""What a supervisor writes about its executors: that they live, and what becomes of their jobs when they do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

from riverrun.database.statements import Query, Steps
from riverrun.store import rescue
from riverrun.store.rescue import RescuedJob


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """The daemon of one host, as others see it."""

    server_id: str
    host: str
    pid: int
    version: str
    roles: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class LivingExecutor:
    """One executor process that its supervisor knows to live."""

    incarnation: str
    queue: str
    slots: int
    pid: int


def renew(server: Server, executors: Sequence[LivingExecutor], *, lease: timedelta) -> Steps[None]:
    """Show that ``server`` and ``executors`` live, the latter for another ``lease`` from the database's now."""
    yield Query(
        "executor_lease_renew",
        {
            "server_id": server.server_id,
            "host": server.host,
            "pid": server.pid,
            "version": server.version,
            "roles": list(server.roles),
            "lease": lease,
            "incarnations": [executor.incarnation for executor in executors],
            "queues": [executor.queue for executor in executors],
            "slots": [executor.slots for executor in executors],
            "pids": [executor.pid for executor in executors],
        },
    )


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


def drop(incarnation: str) -> Steps[None]:
    """Forget an executor that ended cleanly and gave back all its jobs."""
    yield Query("executor_lease_drop", {"incarnation": incarnation})


def left_behind(server_id: str) -> Steps[list[str]]:
    """Return the incarnations that an earlier supervisor of this server did not see out."""
    rows = yield Query("executor_of_server", {"server_id": server_id})
    return [row[0] for row in rows]


def last_heard(server_id: str) -> Steps[tuple[str, int, timedelta] | None]:
    """Return host and pid of who was last known as ``server_id``, and how long ago; None if nobody was."""
    rows = yield Query("server_heartbeat", {"server_id": server_id})
    return (rows[0][0], rows[0][1], timedelta(seconds=rows[0][2])) if rows else None


def forget_server(server_id: str, *, pid: int) -> Steps[None]:
    """Forget a server that has stopped, unless another process has taken its name since."""
    yield Query("server_delete", {"server_id": server_id, "pid": pid})
