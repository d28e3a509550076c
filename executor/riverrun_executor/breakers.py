"""The breakers of an executor: what they agree on with the fleet, and which kinds they leave out of claims."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from riverrun.database.connect import first_line
from riverrun.store.registry import RegisteredHandler
from riverrun_executor.breaker import Breaker, Change

log = logging.getLogger(__name__)


class Breakers:
    """The breakers of an executor, one for each kind that a service handles.

    Args:
        changed: Called when another set of kinds is to be left out, or something is to be written.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._breakers: dict[str, Breaker] = {}
        self._changes: list[Change] = []

    def of(self, kind: str) -> Breaker:
        """Return the breaker of a kind."""
        if kind not in self._breakers:
            self._breakers[kind] = Breaker(kind, self._changed, self._changes.append)
        return self._breakers[kind]

    def learn(self, registered: Iterable[RegisteredHandler]) -> None:
        """Take over what the fleet knows, except where we know something newer that is not written yet."""
        known = {handler.kind: handler for handler in registered if handler.registration.handler_type != "local"}
        for kind in self._breakers.keys() - known.keys():
            del self._breakers[kind]
        unwritten = {change.kind for change in self._changes}
        for kind in known.keys() - unwritten:
            self.of(kind).learn(known[kind].health)
        self._changed()

    @property
    def left_out(self) -> list[str]:
        """Kinds not to claim now."""
        return [kind for kind, breaker in self._breakers.items() if breaker.leaves_out]

    def look(self) -> None:
        """Ask for the probes that are due; called about once a second."""
        for breaker in self._breakers.values():
            breaker.look()

    @property
    def next_change(self) -> Change | None:
        """The next change to be written; it stays until it is `written`."""
        return self._changes[0] if self._changes else None

    def written(self, change: Change, result: bool) -> None:
        """Note that ``change`` is in the database."""
        self._changes.remove(change)
        change.done(result)

    def refused(self, change: Change, error: Exception) -> None:
        """Drop a change that the database will never take: its handler is gone, or the words do not fit."""
        log.warning("handler_change_dropped", extra={"kind": change.kind, "error": first_line(error)})
        self.written(change, False)
