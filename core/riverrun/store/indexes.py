"""The indexes of a table: how they are, which of them are built anew, and who may do that now."""

from __future__ import annotations

import re
from dataclasses import dataclass

from riverrun.database.statements import Query, Steps

LOCK_CLASS = 0x52766978
"""First half of the advisory lock's key; the second is made from the schema's name."""

REBUILT = (
    "riverrun_job_live_index",
    "riverrun_job_due_index",
    "river_job_unique_idx",
    "river_job_state_and_finalized_at_index",
    "river_job_prioritized_fetching_index",
    "river_job_kind",
    "river_job_args_index",
    "river_job_metadata_index",
    "river_job_pkey",
)
"""Indexes of ``river_job`` that are built anew, where they exist: ours, and those that River names.

The ones that are quickly built come first."""

_LEFTOVER = re.compile(r"(.+)_cc(?:new|old)\d*")


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """One index; ``rows`` is an estimate, negative when none was made."""

    name: str
    valid: bool
    building: bool
    bytes: float
    rows: float

    @property
    def left_of(self) -> str | None:
        """The index that a REINDEX which did not end was about to replace; None: nothing of the kind."""
        match = _LEFTOVER.fullmatch(self.name)
        return match[1] if match else None


def of_table(table: str) -> Steps[list[IndexFacts]]:
    """Return the indexes of a table, by name."""
    rows = yield Query("index_list", {"table": table})
    return [IndexFacts(*row) for row in rows]


def hold() -> Steps[bool]:
    """Take the right to build indexes anew, which goes with the session; False while another session has it."""
    ((held,),) = yield Query("index_hold", {"lock_class": LOCK_CLASS})
    return bool(held)
