"""Says how far the start of a host has come, and logs it: all of its processes work, or which of them do not."""

from __future__ import annotations

import enum
import logging
from collections.abc import Sequence

from riverrun_supervisor.child import Child, State

log = logging.getLogger(__name__)

READ_THEIR_LINES = "read their own last lines; daemon_ready follows when they work"


class Progress(enum.StrEnum):
    """What ``queuectl status`` says about a daemon that does not stop."""

    STARTING = "starting"
    INCOMPLETE = "incomplete"
    READY = "ready"


class Start:
    """The start of the daemon: over when every child works or crashes in a loop, complete when every child works."""

    def __init__(self) -> None:
        self.progress = Progress.STARTING

    @property
    def is_over(self) -> bool:
        """Whether nothing is waited for any longer."""
        return self.progress is not Progress.STARTING

    @property
    def is_complete(self) -> bool:
        """Whether all children have worked at the same time."""
        return self.progress is Progress.READY

    def look(self, children: Sequence[Child]) -> bool:
        """Take in how the children are now; return whether the start has come further."""
        if self.is_complete:
            return False
        late = [child for child in children if child.state is not State.RUNNING]
        if not late:
            self.progress = Progress.READY
            log.info("daemon_ready", extra={"children": len(children)})
            return True
        if self.is_over or not all(child.is_crash_looping for child in late):
            return False
        self.progress = Progress.INCOMPLETE
        names = ", ".join(child.plan.name for child in late)
        log.error("daemon_incomplete", extra={"failing": names, "children": len(children), "do": READ_THEIR_LINES})
        return True
