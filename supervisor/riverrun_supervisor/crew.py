"""The children of this host together: started by a plan, changed to another one, and seen out in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from riverrun.messages import Message, Reload, Wake
from riverrun_supervisor.child import Child, Reports
from riverrun_supervisor.farewell import Grace
from riverrun_supervisor.launch import Launch
from riverrun_supervisor.plan import ChildPlan
from riverrun_supervisor.wakeups import EVERY_QUEUE


class Crew:
    """All children; each is run by a task in ``group``."""

    def __init__(self, group: asyncio.TaskGroup, *, launch: Launch, reports: Reports) -> None:
        self._group = group
        self._launch = launch
        self._reports = reports
        self._tasks: dict[Child, asyncio.Task[None]] = {}
        self._left: set[str] = set()

    @property
    def children(self) -> Sequence[Child]:
        """Those that run or shall run, and those that are leaving."""
        return tuple(child for child, task in self._tasks.items() if not task.done())

    def follow(self, plans: Iterable[ChildPlan], grace: Grace) -> None:
        """Start what is new, replace what has changed, let what is gone drain, and leave the others running."""
        wanted = {plan.name: plan for plan in plans}
        for child in self.children:
            child.grace = grace
            plan = wanted.pop(child.plan.name, None)
            if plan is None:
                child.drain()
            elif plan != child.plan or child.is_leaving:
                child.replace(plan)
            else:
                child.send(Reload())
        for plan in wanted.values():
            self._start(plan, grace)

    def renew(self, role: str) -> None:
        """Let every child of a role drain and start another one by the same plan in its place."""
        for child in self.children:
            if child.plan.role == role and not child.is_leaving:
                child.replace(child.plan)

    def add(self, plan: ChildPlan, grace: Grace) -> None:
        """Start one more by a plan that the configuration does not name, unless it runs or its role has left."""
        if plan.role not in self._left and all(child.plan.name != plan.name for child in self.children):
            self._start(plan, grace)

    def tell(self, message: Message) -> None:
        """Pass a message on: a ``Wake`` to the executors of its queue, anything else to everybody."""
        for child in self.children:
            if isinstance(message, Wake) and not _concerns(message, child):
                continue
            child.send(message)

    async def leave(self, *roles: str) -> None:
        """Let every child of these roles drain and return when they are gone; the child sees to the time it takes."""
        self._left.update(roles)
        leaving = [child for child in self.children if child.plan.role in roles]
        for child in leaving:
            child.drain()
        if leaving:
            await asyncio.wait([self._tasks[child] for child in leaving])

    def hurry(self) -> None:
        """Let every child leave at once."""
        for child in self.children:
            child.hurry()

    def _start(self, plan: ChildPlan, grace: Grace) -> None:
        child = Child(plan, launch=self._launch, grace=grace, reports=self._reports)
        task = self._tasks[child] = self._group.create_task(child.run(), name=f"child {plan.name}")
        task.add_done_callback(lambda _: self._tasks.pop(child))


def _concerns(wake: Wake, child: Child) -> bool:
    return child.plan.queue is not None and wake.queue in (child.plan.queue, EVERY_QUEUE)
