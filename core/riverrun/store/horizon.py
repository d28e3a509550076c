"""Who keeps VACUUM from removing dead rows: the one question whose answer explains a queue that gets slower by itself.

VACUUM removes a dead row only when nobody can see it any more. One forgotten transaction, one standby that reports what
it still reads, or one slot that nobody fetches from keeps all of them, in every table of the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from riverrun.database.statements import Query, Steps

OLD_SECONDS = 60.0
MANY_TRANSACTIONS = 10_000
"""What counts as old where PostgreSQL keeps no time."""

What = Literal["transaction", "prepared", "standby", "slot"]


@dataclass(frozen=True, slots=True)
class Pin:
    """One thing that keeps dead rows.

    Attributes:
        what: An open transaction, a prepared one, feedback of a standby without a slot, or a replication slot.
        name: Pid, global id, pid of the WAL sender, or name of the slot.
        pid: The server process behind it, if there is one.
        owner: Role whose transaction it is.
        application: What its session calls itself.
        state: Such as ``idle in transaction``; of a slot ``active`` or ``inactive``.
        seconds: Its age; None where PostgreSQL keeps none, or hides it from this role.
        transactions: Transactions that were begun since the oldest one that it still sees.
        xid: That oldest one.
        statement: Beginning of its last statement, cut off before the first value.
    """

    what: What
    name: str
    pid: int | None
    owner: str | None
    application: str | None
    state: str | None
    seconds: float | None
    transactions: int
    xid: str
    statement: str | None

    @property
    def is_old(self) -> bool:
        """Whether it has kept dead rows for too long, or nobody is there who would let them go."""
        if self.seconds is not None:
            return self.seconds > OLD_SECONDS
        return self.state == "inactive" or self.transactions > MANY_TRANSACTIONS


def pins() -> Steps[list[Pin]]:
    """Return everything that keeps dead rows of this database, what has done so for longest first."""
    rows = yield Query("horizon_pins")
    return [Pin(*row) for row in rows]
