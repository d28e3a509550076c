"""Run a function of this process as a handler: on the event loop if it is a coroutine function, else in a thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.handler_outcome import raised, returned, told_to_stop
from riverrun.handlers import Handler
from riverrun.outcome import Outcome
from riverrun_executor.outliving import Outliving

STUCK_AFTER = timedelta(seconds=10)
"""How long a plain function may ignore that its time is over before its attempt is finished without it."""


class LocalHandler:
    """A registered function as a transport.

    Args:
        handler: The function with what its signature asks for.
        threads: Where plain functions run.
        outliving: Told of threads that their attempts leave behind.
        stuck_after: See `STUCK_AFTER`.
    """

    def __init__(
        self,
        handler: Handler,
        threads: ThreadPoolExecutor,
        outliving: Outliving,
        *,
        stuck_after: timedelta = STUCK_AFTER,
    ) -> None:
        self._handler = handler
        self._threads = threads
        self._outliving = outliving
        self._stuck_after = stuck_after
        self.timeout = handler.timeout
        self.concurrency = handler.concurrency
        self.backoff = handler.backoff

    async def run(self, job: ClaimedJob, context: Context) -> Outcome:
        """Validate the arguments, call the function, and return how it ended, whatever it raises.

        Raises:
            CancelledError: The attempt was told to stop and did.
        """
        if not self._handler.is_async:
            return await self._in_thread(job, context)
        try:
            result = self._handler.function(*self._handler.arguments(job, context))
            return returned(await result, context)  # type: ignore[misc]  # is_async: a coroutine
        except asyncio.CancelledError as error:
            context.cancel()  # for threads that the handler has started
            if told_to_stop():
                raise
            return raised(error, context)
        except BaseException as error:  # noqa: BLE001 - nothing that a handler raises may end the executor
            return raised(error, context)

    async def _in_thread(self, job: ClaimedJob, context: Context) -> Outcome:
        """Run a plain function in a thread, and wait for the thread even when the attempt is cancelled.

        A thread cannot be stopped from outside. It is told through the context; only when it does not listen for
        ``stuck_after`` the attempt ends without it, and its slot stays taken until it returns.
        """
        work = self._threads.submit(copy_context().run, self._call, job, context)
        waiting = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            context.cancel()
            try:
                await asyncio.wait({waiting}, timeout=self._stuck_after.total_seconds())
            finally:
                if not waiting.done():
                    self._outliving.outlived()
                    waiting.add_done_callback(lambda _: self._outliving.returned())
            if waiting.done():
                return waiting.result()
            raise

    def _call(self, job: ClaimedJob, context: Context) -> Outcome:
        """Do in a thread what `run` does on the loop; a future cannot carry all that may be raised here."""
        try:
            result = self._handler.function(*self._handler.arguments(job, context))
            return returned(result, context)
        except asyncio.CancelledError as error:
            if context.cancelled:  # a generator that was stopped
                raise
            return raised(error, context)
        except BaseException as error:  # noqa: BLE001 - nothing that a handler raises may end the executor
            return raised(error, context)
