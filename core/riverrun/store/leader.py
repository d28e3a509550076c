"""What schedulers ask of the database to agree on one leader: ask for the lock, show life, end a term.

A term is numbered by its generation. Whatever a leader writes, it writes on the session that holds the lock and only
while the generation is its own: with the session the lock ends, and with the next generation so do the writes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from riverrun.database.statements import Query, Steps
from riverrun.store.leases import HOST_LOCK_CLASS
from riverrun.store.promote import EVERYWHERE, DueAfter

LOCK_CLASS = 0x52766C64
"""First half of the advisory lock's key; the second is made from the schema's name."""


@dataclass(frozen=True, slots=True)
class Election:
    """The answer to one request for the lock.

    Attributes:
        generation: Number of the term that begins; ``None`` when another scheduler leads.
        stalled: Whether that scheduler has not been heard of for six seconds.
        hosts: Keys of the locks that supervisors hold, each until its session ends.
        now: The database's clock.
    """

    generation: int | None
    stalled: bool
    hosts: Collection[int]
    now: datetime


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the database tells a leader once a second.

    Attributes:
        now: The database's clock, by which everything is due.
        settled: How long the database server has been there.
        soonest_due: When the next waiting job is due, or a day from now; ``None`` when none was found.
        leases_expired: Whether the lease of some executor ran out.
        hosts: Keys of the locks that supervisors hold, each until its session ends.
        schedules: Changes whenever a schedule is made, changed or deleted.
        river_leader: Who holds River's own leader row, if anybody.
        seconds: How long the database took to find all this out.
    """

    now: datetime
    settled: timedelta
    soonest_due: datetime | None
    leases_expired: bool
    hosts: Collection[int]
    schedules: int
    river_leader: str | None
    seconds: float


def elect(server_id: str) -> Steps[Election]:
    """Ask for the lock and, if it was free, begin a term; never waits. Fails on a standby, where nobody can lead."""
    (row,) = yield Query(
        "leader_elect", {"lock_class": LOCK_CLASS, "server_id": server_id, "host_class": HOST_LOCK_CLASS}
    )
    return Election(*row)


def pulse(generation: int, after: DueAfter = EVERYWHERE) -> Steps[Pulse | None]:
    """Show that the leader lives and return what is new; ``None`` when its term is over.

    Args:
        generation: The leader's term.
        after: Where to begin to look for the job that is due next.
    """
    rows = yield Query("leader_pulse", {"generation": generation, "host_class": HOST_LOCK_CLASS, **asdict(after)})
    return Pulse(*rows[0]) if rows else None


def beat(generation: int) -> Steps[bool]:
    """Show that the leader lives and look at nothing; return False when its term is over."""
    return bool((yield Query("leader_beat", {"generation": generation})))


def terminate_stalled() -> Steps[str | None]:
    """End the session of a leader that holds the lock and shows no life; return its ``server_id``, if there was one."""
    rows = yield Query("leader_terminate", {"lock_class": LOCK_CLASS})
    return rows[0][0] if rows else None


def resign(generation: int) -> Steps[None]:
    """End a term, free its lock and tell the other schedulers."""
    yield Query("leader_resign", {"lock_class": LOCK_CLASS, "generation": generation})
