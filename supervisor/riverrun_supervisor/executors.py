"""Stands between the executors of this host and its lease: who lives, who shall run alone, and what one has died of."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

import riverrun
from riverrun.messages import LeaseRenewed
from riverrun.store.leases import Death, LivingExecutor, Server
from riverrun_supervisor.child import Child
from riverrun_supervisor.configuration import Configuration
from riverrun_supervisor.crew import Crew
from riverrun_supervisor.exits import Exit
from riverrun_supervisor.farewell import Grace
from riverrun_supervisor.kernel import is_stopped
from riverrun_supervisor.lease import Lease
from riverrun_supervisor.plan import ROLES


class Executors:
    """The executors of this host, and the lease by which others know that they live.

    Attributes:
        lease: To be run while there are children.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._crew: Crew | None = None
        settings = configuration.settings
        roles = tuple(role for role in ROLES if role in {plan.role for plan in configuration.plans})
        self.lease = Lease(
            settings.dsn(),
            settings.postgresql.schema_name,
            server=Server(settings.server_id, socket.gethostname(), os.getpid(), riverrun.__version__, roles),
            executors=self._living,
            renewed=self._tell_renewed,
            isolate=self._isolate,
        )

    def join(self, crew: Crew) -> None:
        """Answer from now on for the executors among ``crew``."""
        self._crew = crew

    def ended(self, child: Child, exited: Exit) -> None:
        """See to the jobs of a process that has ended, if it was an executor."""
        if child.plan.role != "executor":
            return
        self.lease.ended(child.incarnation, _death(child, exited))
        if child.plan.isolated and exited.is_clean:
            child.drain()

    def _living(self) -> list[LivingExecutor]:
        """Return the executors that live; one that was stopped by a signal runs no job and is left to its lease."""
        return [
            LivingExecutor(child.incarnation, child.plan.queue, child.plan.slots or 0, child.pid)
            for child in self._children()
            if child.plan.queue is not None and child.pid is not None and not is_stopped(child.pid)
        ]

    def _tell_renewed(self, executors: Sequence[LivingExecutor], until: float) -> None:
        renewed = {executor.incarnation for executor in executors}
        for child in self._children():
            if child.incarnation in renewed:
                child.send(LeaseRenewed(until))

    def _isolate(self, queue: str) -> None:
        """Start the isolated executor of a queue that this host serves; it leaves by itself when it is idle."""
        served = next((plan for plan in self._configuration.plans if plan.queue == queue), None)
        if served is not None and self._crew is not None:
            self._crew.add(served.isolate(), Grace.of(self._configuration.settings.river))

    def _children(self) -> Sequence[Child]:
        return () if self._crew is None else self._crew.children


def _death(child: Child, exited: Exit) -> Death:
    """Return how an executor ended, and whether one of its jobs may be at fault for it.

    One that drained while its database was away has left jobs whose ends it could not write.
    """
    overran = child.silence.overran
    if exited.is_clean:
        reason = "executor ended before it could write how the job ended"
    elif child.silence.killed:
        reason = "executor killed: it did not answer, and a job had run out of time"
    else:
        reason = f"executor died: process {exited.reason}"
    return Death(
        reason,
        counts=exited.is_crash and not child.was_told_to_leave and overran is None,
        alone=child.plan.isolated,
        by_hand=exited.is_by_hand and not child.silence.killed,
        overran=overran,
        peak_bytes=child.last_words.peak_bytes,
        last_words=child.last_words.text,
    )
