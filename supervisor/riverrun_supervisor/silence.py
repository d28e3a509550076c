"""Notices that a process does not answer, says which jobs it runs, and knows when it has to be killed.

A handler that holds the interpreter, or blocks the event loop, keeps its process from answering. The process lives
and its jobs are its own, so nothing is rescued. Only when a job has run out of time, and the process cannot stop it
because it does not answer, is it time to end the process.
"""

from __future__ import annotations

import logging
import time

from riverrun.messages import Running
from riverrun.telemetry import metrics
from riverrun_supervisor.kernel import is_stopped

log = logging.getLogger(__name__)

SILENCE_SECONDS = 8.0
OVERRUN_SECONDS = 5.0
"""How long after its time is over a job may keep its process from answering."""

SILENT = {
    "meaning": "a handler holds the interpreter or blocks the event loop",
    "do": "look at the handlers of these jobs; SIGUSR1 makes the process write the stack of every thread",
}


class Silence:
    """What is known of one life of one process."""

    def __init__(self, role: str, name: str) -> None:
        self._role = role
        self._name = name
        self._said = False
        self.running: Running | None = None
        self.overran: int | None = None
        self.killed = False

    def heard(self) -> None:
        """Note that it answers."""
        if self._said:
            log.warning("child_answers", extra={"child": self._name})
        self._said = False

    def look(self, pid: int, *, silent: float) -> bool:
        """Report a silence of ``silent`` seconds when it is long; return whether the process must be killed now."""
        if silent < SILENCE_SECONDS:
            return False
        if not self._said:
            self._said = True
            self._say(pid, silent)
        overdue = self._overdue() and not is_stopped(pid)
        if overdue and self.running is not None and self.running.count == 1:
            self.overran = self.running.jobs[0]
        self.killed = self.killed or overdue
        return overdue

    def _say(self, pid: int, silent: float) -> None:
        metrics.process_silences.labels(role=self._role, name=self._name).inc()
        jobs = self.running.jobs if self.running is not None else []
        fields = {"child": self._name, "jobs": jobs, "stopped": is_stopped(pid), "seconds": round(silent, 1)}
        log.error("child_silent", extra={**fields, **SILENT})

    def _overdue(self) -> bool:
        running = self.running
        return (
            running is not None
            and running.deadline is not None
            and time.monotonic() > running.deadline + OVERRUN_SECONDS
        )
