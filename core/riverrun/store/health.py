"""What ``queuectl doctor`` asks: facts about the server, the tables and the fleet that show what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from riverrun.database.statements import Query, Steps


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """A database server, and how this session is on it.

    Attributes:
        version: Such as 150004.
        version_text: The same for people.
        now: The time by its clock.
        synchronous_commit: As this session has it.
        connections: Of clients, at present.
        most_connections: That roles without privileges may open.
        notification_queue: Its filled part, 0 to 1.
    """

    version: int
    version_text: str
    now: datetime
    role: str
    database: str
    standby: bool
    fsync: bool
    synchronous_commit: str
    autovacuum: bool
    connections: int
    most_connections: int
    notification_queue: float


@dataclass(frozen=True, slots=True)
class VacuumFacts:
    """One table; autovacuum begins at ``dead_limit`` dead rows; its rows would fit in ``needed`` bytes."""

    rows: float
    dead: float
    autovacuum: bool
    dead_limit: float
    vacuuming: bool
    bytes: float
    needed: float | None


@dataclass(frozen=True, slots=True)
class ExpiredExecutor:
    """An executor whose lease ran out ``seconds`` ago."""

    incarnation: str
    server_id: str
    queue: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Leaders:
    """Who leads, when that scheduler was last heard of, and who holds River's own leader row."""

    server_id: str | None
    seconds: float | None
    river_leader: str | None


def database() -> Steps[DatabaseFacts]:
    """Return what the server is like."""
    (row,) = yield Query("database_describe")
    return DatabaseFacts(*row)


def backend() -> Steps[int]:
    """Return the pid of the server process that runs this very statement."""
    ((pid,),) = yield Query("session_identify")
    return int(pid)


def missing_privileges(needed: Mapping[str, str]) -> Steps[dict[str, str]]:
    """Return those of the ``needed`` privileges, by relation and comma separated, that this role does not have."""
    rows = yield Query("privilege_missing", {"relations": list(needed), "privileges": list(needed.values())})
    return dict(rows)


def constraints(table: str) -> Steps[dict[str, tuple[str, bool]]]:
    """Return the CHECK constraints of a table by name: definition, and whether all rows were checked."""
    rows = yield Query("constraint_list", {"table": table})
    return {name: (definition, validated) for name, definition, validated in rows}


def vacuum(table: str) -> Steps[VacuumFacts | None]:
    """Return whether VACUUM keeps up with a table; None without the table."""
    rows = yield Query("table_vacuum", {"table": table})
    return VacuumFacts(*rows[0]) if rows else None


def unhandled_kinds(rows: int = 1_000) -> Steps[list[tuple[str, str, int]]]:
    """Return kinds without a handler among the first ``rows`` waiting jobs of each queue: kind, a queue, jobs seen."""
    found = yield Query("kind_unhandled", {"rows": rows})
    return [(kind, queue, jobs) for kind, queue, jobs in found]


def expired_executors(seconds: float) -> Steps[list[ExpiredExecutor]]:
    """Return executors whose lease ran out more than ``seconds`` ago and that nobody has cleared away."""
    rows = yield Query("executor_expired", {"seconds": seconds})
    return [ExpiredExecutor(*row) for row in rows]


def leaders() -> Steps[Leaders]:
    """Return who leads."""
    rows = yield Query("leader_inspect")
    return Leaders(*rows[0]) if rows else Leaders(None, None, None)
