"""Where to begin to look for due jobs: behind the floor, before which everything was promoted already.

While an old transaction keeps VACUUM away, the index holds an entry for every job that was ever promoted, and a look
from its beginning steps over all of them. It is taken as often as it is cheap: every second, as long as nothing is
wrong.

The floor is a hint. Jobs do appear before it: those of a transaction that committed late, and those that somebody held
while the others were promoted. So it stays ``LAG`` behind the clock of the database, and the next look everywhere finds
what came later still. A leader that has no floor yet, and whose look everywhere took too long, reaches back for less
and less.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from riverrun.store.leader import Pulse
from riverrun.store.promote import EVERYWHERE, DueAfter, Promotion

LAG = timedelta(minutes=1)
FURTHEST, NEAREST = timedelta(hours=1), timedelta(minutes=1)
SHARE = 20
"""A look everywhere may take one part in so many of the time."""
GIVEN_UP_SECONDS = 30.0


class Due:
    """What a term knows of where due jobs are.

    Attributes:
        after: Where the last pulse has looked, and promotions after it shall.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.after = EVERYWHERE
        self._floor = EVERYWHERE
        self._monotonic = monotonic
        self._everywhere_at = monotonic()

    def aim(self) -> DueAfter:
        """Return where the next pulse shall look."""
        self.after = EVERYWHERE if self._monotonic() >= self._everywhere_at else self._floor
        return self.after

    def looked(self, pulse: Pulse) -> None:
        """Learn from a pulse."""
        if self.after == EVERYWHERE:
            self._everywhere_at = self._monotonic() + SHARE * pulse.seconds
            self._floor = replace(self._floor, reach=None)
        if pulse.soonest_due is None or pulse.soonest_due > pulse.now:
            self._rise((pulse.now - LAG, 0))

    def promoted(self, pulse: Pulse, done: Promotion, *, exhausted: bool) -> None:
        """Learn from a promotion.

        Args:
            pulse: The one that it follows.
            done: What it did.
            exhausted: It found fewer jobs than it could have taken on.
        """
        lagging = (pulse.now - LAG, 0)
        if exhausted and not done.contested:
            self._rise(lagging)
        elif done.reached is not None and not done.contested:
            self._rise(min(lagging, done.reached))

    def gave_up(self) -> None:
        """Learn that the database did not find an answer in time."""
        if self.after == EVERYWHERE:
            self._everywhere_at = self._monotonic() + GIVEN_UP_SECONDS
        if self.after == self._floor:  # there is no nearer one yet
            reach = self._floor.reach
            self._floor = replace(self._floor, reach=FURTHEST if reach is None else max(reach / 4, NEAREST))

    def _rise(self, place: tuple[datetime, int]) -> None:
        if self._floor.floor_at is None or place > (self._floor.floor_at, self._floor.floor_id):
            self._floor = DueAfter(*place)
