"""River's own leader row, by which its clients in other languages agree who does the maintenance.

A reign is named by leader id and ``elected_at``; it lasts 15 seconds from the last renewal.
"""

from __future__ import annotations

from datetime import datetime

from riverrun.database.statements import Query, Steps

FAMILY = "riverrun:"
"""How the leader ids of all our schedulers begin; those of River's clients begin with the name of their host."""


def elect(generation: int, leader_id: str) -> Steps[datetime | None]:
    """Take the row if it is free and return ``elected_at``; ``None`` while a client of River holds it."""
    rows = yield Query("river_leader_elect", {"generation": generation, "leader_id": leader_id, "family": FAMILY})
    return rows[0][0] if rows else None


def renew(leader_id: str, elected_at: datetime) -> Steps[bool]:
    """Hold the row for another 15 seconds; return False when the reign is over."""
    rows = yield Query("river_leader_renew", {"leader_id": leader_id, "elected_at": elected_at})
    return bool(rows)


def resign(leader_id: str, elected_at: datetime | None = None) -> Steps[None]:
    """Give the row back and tell River's clients; without ``elected_at``, whichever reign of that id it is."""
    yield Query("river_leader_resign", {"leader_id": leader_id, "elected_at": elected_at})


def request_resign() -> Steps[None]:
    """Ask whoever leads among River's clients to step down."""
    yield Query("river_leader_request_resign")
