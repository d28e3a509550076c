"""Run a function as a handler in a process of its own, which may crash, hold the interpreter, or fill the memory.

Only the attempt that ran there fails. What it cannot be talked out of, it is killed for.
"""

from __future__ import annotations

import asyncio

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.handlers import Handler
from riverrun.outcome import Failed, Outcome
from riverrun_executor.children.pool import Child, ChildEnded, Children
from riverrun_executor.children.wire import begin

KILL_SECONDS = 3.0
"""How long an attempt that was told to stop may clean up before its process is killed."""


class IsolatedHandler:
    """A registered function as a transport that runs in another process.

    Args:
        handler: The function with what its decorator says.
        children: The processes.
    """

    def __init__(self, handler: Handler, children: Children) -> None:
        self._children = children
        self._kind = handler.kind
        self._memory_mb = handler.memory_mb
        self.timeout = handler.timeout
        self.backoff = handler.backoff
        self.concurrency = handler.concurrency
        self.backoff = handler.backoff

    async def run(self, job: ClaimedJob, context: Context) -> Outcome:
        """Run one attempt in a process and return how it ended; a process that ended with it is its failure.

        Raises:
            CancelledError: The attempt was told to stop, and did or was killed.
        """
        try:
            child = await self._children.lend()
            return await self._run_in(child, job, context)
        except ChildEnded as error:
            return Failed(f"the handler's process {error}", error_type="crash")

    async def _run_in(self, child: Child, job: ClaimedJob, context: Context) -> Outcome:
        order = begin(self._kind, job, limit_seconds=context.limit_seconds, memory_mb=self._memory_mb)
        work = asyncio.create_task(child.run(order, context), name=f"job {job.id} in a process")
        try:
            outcome = await self._outcome(work, child)
        except BaseException:
            child.kill()
            if not work.done():
                work.cancel()
            raise
        self._children.give_back(child)
        if outcome is None:
            raise asyncio.CancelledError
        return outcome

    async def _outcome(self, work: asyncio.Task[Outcome | None], child: Child) -> Outcome | None:
        """Wait for the end of the work; when the attempt is cancelled, only as long as it may clean up."""
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            child.stop()
            await asyncio.wait({work}, timeout=KILL_SECONDS)
            if work.done():
                return work.result()
            raise
