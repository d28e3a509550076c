"""The figures of this host: what its processes report, and what the supervisor measures when somebody asks."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable

import riverrun
from riverrun import messages
from riverrun.telemetry import metrics
from riverrun.telemetry.host_totals import Changes, HostTotals
from riverrun_supervisor.child import Child
from riverrun_supervisor.kernel import resident_bytes


class HostMetrics:
    """Gathers the figures of all processes of this host and hands them out."""

    def __init__(self) -> None:
        self._totals = HostTotals()
        self._changes = Changes()

    def add(self, child: Child, message: messages.Metrics) -> None:
        """Take what a child has measured."""
        self._totals.add(child.plan.name, message.counters, message.gauges)

    def forget(self, child: Child) -> None:
        """Remove the gauges of a process that has ended."""
        self._totals.forget(child.plan.name)

    def answer(self, child: Child, request: messages.MetricsRequest, *, children: Iterable[Child]) -> None:
        """Send ``child`` the figures of ``children`` and of this process."""
        measure(children)
        self._totals.add("supervisor", *self._changes.take())
        child.send(messages.HostMetrics(request.id, self._totals.snapshot()))


def measure(children: Iterable[Child]) -> None:
    """Set the gauges of this process, the supervisor, and of its children; those of former children go."""
    for gauge in (metrics.process_up, metrics.process_answering, metrics.process_resident_memory):
        gauge.clear()
    metrics.build_info.labels(version=riverrun.__version__, python=platform.python_version()).set(1)
    _set("supervisor", "supervisor", pid=os.getpid(), answers=True)
    for child in children:
        _set(child.plan.role, child.plan.name, pid=child.pid, answers=child.is_answering)


def _set(role: str, name: str, *, pid: int | None, answers: bool) -> None:
    metrics.process_up.labels(role=role, name=name).set(pid is not None)
    metrics.process_answering.labels(role=role, name=name).set(answers)
    memory = resident_bytes(pid) if pid is not None else None
    if memory is not None:
        metrics.process_resident_memory.labels(role=role, name=name).set(memory)
