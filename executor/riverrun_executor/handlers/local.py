"""Run a function of this process as a handler: on the event loop if it is a coroutine function, else in a thread."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta

from pydantic import ValidationError

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.handlers import Handler
from riverrun.outcome import Cancelled, Completed, Failed, Outcome, Snoozed
from riverrun.retry import RIVER_BACKOFF, retry_delay
from riverrun.signals import Cancel, Retry, Signal, Snooze

STUCK_AFTER = timedelta(seconds=10)
"""How long a plain function may ignore that its time is over before its attempt is finished without it."""


class LocalHandler:
    """A registered function as a transport.

    Args:
        handler: The function with what its signature asks for.
        threads: Where plain functions run.
        abandoned: Called when a thread is left behind by its attempt; called again, with False, when it returns.
    """

    def __init__(self, handler: Handler, threads: ThreadPoolExecutor, abandoned: Callable[[bool], None]) -> None:
        self._handler = handler
        self._threads = threads
        self._abandoned = abandoned
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self.timeout = handler.timeout

    async def run(self, job: ClaimedJob, context: Context) -> Outcome:
        """Validate the arguments, call the function, and return how it ended."""
        try:
            arguments = self._handler.arguments(job, context)
        except ValidationError as error:
            return self._failed(job, f"invalid arguments: {_problems(error)}", error_type="invalid_args")
        try:
            if self._handler.is_async:
                result = await self._handler.function(*arguments)  # type: ignore[misc]  # is_async: a coroutine
            else:
                result = await self._in_thread(context, arguments)
        except Signal as signal:
            result = signal
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is how its attempt ended
            return self._failed(job, f"{type(error).__name__}: {error}", trace=_trace(error))
        return self._outcome(job, context, result)

    def _outcome(self, job: ClaimedJob, context: Context, result: object) -> Outcome:
        match result:
            case None:
                return Completed()
            case Snooze(delay=delay):
                return Snoozed(delay)
            case Cancel(reason=reason):
                return Cancelled(reason or "the handler cancelled the job")
            case Retry(delay=None, reason=reason):
                return self._failed(job, reason, error_type="retry")
            case Retry(delay=delay, reason=reason):
                return Failed(error=reason, error_type="retry", retry_in=delay)
            case _:
                context.output(result)
                return Completed()

    def _failed(self, job: ClaimedJob, error: str, *, trace: str = "", error_type: str = "exception") -> Failed:
        backoff = self._handler.backoff
        delay = None if backoff == RIVER_BACKOFF else retry_delay(backoff, errors=job.error_count, rng=self._random)
        return Failed(error=error, trace=trace, error_type=error_type, retry_in=delay)

    async def _in_thread(self, context: Context, arguments: list[object]) -> object:
        """Run a plain function in a thread, and wait for the thread even when the attempt is cancelled.

        A thread cannot be stopped from outside. It is told through the context; only when it does not listen for
        ``STUCK_AFTER`` the attempt ends without it, and its slot stays taken until it returns.
        """
        work = self._threads.submit(copy_context().run, self._handler.function, *arguments)
        waiting: asyncio.Future[object] = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            context.cancel()
            try:
                await asyncio.wait({waiting}, timeout=STUCK_AFTER.total_seconds())
            finally:
                if not waiting.done():
                    self._leave(waiting)
            if waiting.done():
                return waiting.result()
            raise

    def _leave(self, waiting: asyncio.Future[object]) -> None:
        """Leave a thread behind that does not listen; note when it returns after all, with whatever result."""
        self._abandoned(True)

        def returned(done: asyncio.Future[object]) -> None:
            self._abandoned(False)
            if not done.cancelled():
                done.exception()

        waiting.add_done_callback(returned)


def _trace(error: Exception) -> str:
    """Return the traceback without the frames of this module."""
    own = error.__traceback__
    return "".join(traceback.format_exception(type(error), error, own.tb_next if own else None))


def _problems(error: ValidationError) -> str:
    """Say what is wrong with the arguments without repeating their values, which may be secret."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'args'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    )
