"""Run a function of this process as a handler: on the event loop if it is a coroutine function, else in a thread."""

from __future__ import annotations

import asyncio
import inspect
import random
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.handlers import Handler
from riverrun.outcome import Cancelled, Completed, Failed, Outcome, Snoozed
from riverrun.retry import RIVER_BACKOFF, retry_delay
from riverrun.sanitize import error_text
from riverrun.signals import Cancel, Retry, Signal, Snooze
from riverrun.signature import InvalidArguments
from riverrun.transition import MAX_TRACE_BYTES

STUCK_AFTER = timedelta(seconds=10)
"""How long a plain function may ignore that its time is over before its attempt is finished without it."""

MAX_FRAME_CHARACTERS = 4_000


class LocalHandler:
    """A registered function as a transport.

    Args:
        handler: The function with what its signature asks for.
        threads: Where plain functions run.
        abandoned: Called when a thread is left behind by its attempt; called again, with False, when it returns.
        stuck_after: See `STUCK_AFTER`.
    """

    def __init__(
        self,
        handler: Handler,
        threads: ThreadPoolExecutor,
        abandoned: Callable[[bool], None],
        *,
        stuck_after: timedelta = STUCK_AFTER,
    ) -> None:
        self._handler = handler
        self._threads = threads
        self._abandoned = abandoned
        self._stuck_after = stuck_after
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self.timeout = handler.timeout
        self.concurrency = handler.concurrency

    async def run(self, job: ClaimedJob, context: Context) -> Outcome:
        """Validate the arguments, call the function, and return how it ended, whatever it raises.

        Raises:
            CancelledError: The attempt was told to stop and did.
        """
        if not self._handler.is_async:
            return await self._in_thread(job, context)
        try:
            result = self._handler.function(*self._handler.arguments(job, context))
            return self._returned(job, context, await result)  # type: ignore[misc]  # is_async: a coroutine
        except asyncio.CancelledError as error:
            context.cancel()  # for threads that the handler has started
            if _told_to_stop():
                raise
            return self._raised(job, error)
        except BaseException as error:  # noqa: BLE001 - nothing that a handler raises may end the executor
            return self._raised(job, error)

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
                    self._abandoned(True)
                    waiting.add_done_callback(lambda _: self._abandoned(False))
            if waiting.done():
                return waiting.result()
            raise

    def _call(self, job: ClaimedJob, context: Context) -> Outcome:
        """Do in a thread what `run` does on the loop; a future cannot carry all that may be raised here."""
        try:
            result = self._handler.function(*self._handler.arguments(job, context))
            return self._returned(job, context, result)
        except BaseException as error:  # noqa: BLE001 - nothing that a handler raises may end the executor
            return self._raised(job, error)

    def _returned(self, job: ClaimedJob, context: Context, result: object) -> Outcome:
        if isinstance(result, Signal):
            return self._raised(job, result)
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            return self._failed(job, "the handler returned what nobody awaits; it must await it, or be async")
        if result is not None:
            context.output(result)
        return Completed()

    def _raised(self, job: ClaimedJob, error: BaseException) -> Outcome:
        leaves = list(_leaves(error))
        # What a TaskGroup wraps is still what the handler raised.
        cause = leaves[0] if len(leaves) == 1 or all(isinstance(leaf, Signal) for leaf in leaves) else error
        match cause:
            case Snooze(delay=delay):
                return Snoozed(delay)
            case Cancel(reason=reason):
                return Cancelled(reason or "the handler cancelled the job")
            case Retry(delay=None, reason=reason):
                return self._failed(job, reason, error_type="retry")
            case Retry(delay=delay, reason=reason):
                return Failed(reason, error_type="retry", retry_in=delay)
            case InvalidArguments():
                return self._failed(job, f"invalid arguments: {cause}", error_type="invalid_args")
            case _:
                return self._failed(job, error_text(cause), trace=_trace(error))

    def _failed(self, job: ClaimedJob, error: str, *, trace: str = "", error_type: str = "exception") -> Failed:
        backoff = self._handler.backoff
        delay = None if backoff == RIVER_BACKOFF else retry_delay(backoff, errors=job.error_count, rng=self._random)
        return Failed(error, trace, error_type=error_type, retry_in=delay)


def _told_to_stop() -> bool:
    """Return whether the attempt itself was cancelled, not something that its handler waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Give the errors in a group and in the groups within it; of any other error, the error."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _trace(error: BaseException) -> str:
    """Return the traceback without the frames of this module; of a long one the end, which says where it broke."""
    own = error.__traceback__
    parts = traceback.format_exception(type(error), error, own.tb_next if own else None)
    shortened = [part if len(part) <= MAX_FRAME_CHARACTERS else part[:MAX_FRAME_CHARACTERS] + "…\n" for part in parts]
    data = "".join(shortened).encode(errors="replace")
    if len(data) <= MAX_TRACE_BYTES:
        return data.decode()
    return "…" + data[-MAX_TRACE_BYTES + len("…".encode()) :].decode(errors="ignore")
