"""Which processes a host runs, as a pure function of its configuration and the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from riverrun.errors import ConfigError
from riverrun.settings.schema import Settings

ROLES = ("scheduler", "executor", "admin")

MODULES: Mapping[str, str] = MappingProxyType(
    {"scheduler": "riverrun_scheduler", "executor": "riverrun_executor", "admin": "riverrun_admin"}
)
"""What ``python -m`` is given to start a role."""

_EVERYBODY = {"server_id", "log_path", "log", "database_url", "postgresql"}
_BASIS = {
    "scheduler": _EVERYBODY | {"river", "schedules"},
    "executor": _EVERYBODY | {"river", "handlers"},
    "admin": _EVERYBODY | {"river", "admin"},
}
"""Sections of the configuration that a role works by: a change of another one does not concern it."""


@dataclasses.dataclass(frozen=True)
class ChildPlan:
    """One process that shall run; two plans are equal when the same process serves both.

    Attributes:
        name: Unique on this host: ``scheduler``, ``admin``, ``executor mail/0``.
        role: One of `ROLES`.
        queue: The queue of an executor.
        slots: The executor's share of its queue's slots.
        share: Which of how many executors of the queue it is: (0, 3) is the first of three.
        isolated: Whether it runs only jobs that crashed before, one at a time; started when there is one.
        basis: Every setting that the process works by.
    """

    name: str
    role: str
    queue: str | None = None
    slots: int | None = None
    share: tuple[int, int] = (0, 1)
    isolated: bool = False
    basis: object = dataclasses.field(default=None, repr=False)

    @property
    def arguments(self) -> list[str]:
        """What the process needs to know beside the configuration."""
        if self.queue is None:
            return []
        number, of = self.share
        lane = ["--isolated"] if self.isolated else []
        return ["--queue", self.queue, "--slots", str(self.slots), "--share", f"{number}/{of}", *lane]

    def isolate(self) -> ChildPlan:
        """Return the plan of the isolated executor of the same queue."""
        return dataclasses.replace(self, name=f"executor {self.queue}/isolated", slots=1, share=(0, 1), isolated=True)


def children(
    settings: Settings, *, roles: Collection[str] = ROLES, queues: Collection[str] | None = None
) -> list[ChildPlan]:
    """Return the processes of this host: scheduler, executors, admin.

    Args:
        settings: The configuration. With ``river.enable`` off nothing runs; with ``river.insert_only`` the admin
            process alone.
        roles: Those that the command line asked for.
        queues: Those that the command line named for the executors; None means all that are configured.

    Raises:
        ConfigError: A queue that is not configured was named.
    """
    problems = list(_unknown(settings, queues))
    if problems:
        raise ConfigError(problems)
    if not settings.river.enable:
        return []
    wanted = set(roles) & ({"admin"} if settings.river.insert_only else set(ROLES))
    plans = []
    if "scheduler" in wanted:
        plans.append(ChildPlan("scheduler", "scheduler", basis=_basis(settings, "scheduler")))
    if "executor" in wanted:
        plans.extend(_executors(settings, queues))
    if "admin" in wanted:
        plans.append(ChildPlan("admin", "admin", basis=_basis(settings, "admin")))
    return plans


def _executors(settings: Settings, queues: Collection[str] | None) -> Iterator[ChildPlan]:
    for queue, setting in settings.river.queues.items():
        if queues is not None and queue not in queues:
            continue
        for number, slots in enumerate(settings.river.slots_of(queue)):
            yield ChildPlan(
                f"executor {queue}/{number}",
                "executor",
                queue=queue,
                slots=slots,
                share=(number, setting.processes),
                basis=_basis(settings, "executor", queue=queue),
            )


def _basis(settings: Settings, role: str, *, queue: str | None = None) -> dict[str, object]:
    basis = settings.model_dump(include=_BASIS[role])
    if queue is not None:
        # The slots of an executor stand in its plan; how other queues are set does not concern it.
        basis["river"]["queues"] = {queue: {"priority": settings.river.queues[queue].priority}}
    return basis


def _unknown(settings: Settings, queues: Collection[str] | None) -> Iterator[str]:
    known = ", ".join(settings.river.queues)
    for queue in queues or ():
        if queue not in settings.river.queues:
            yield f"--queue: {queue!r} is not configured; expected one of river.queues: {known}"
