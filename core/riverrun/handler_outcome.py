"""Read what a function of ours returned or raised as the outcome of an attempt."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Iterator

from riverrun.context import Context
from riverrun.outcome import Cancelled, Completed, Failed, Outcome, Snoozed
from riverrun.sanitize import error_text
from riverrun.signals import Cancel, Retry, Signal, Snooze
from riverrun.signature import InvalidArguments
from riverrun.transition import MAX_TRACE_BYTES

MAX_FRAME_CHARACTERS = 4_000


def returned(result: object, context: Context) -> Outcome:
    """Return the outcome of a handler that returned ``result``, which is recorded as the job's output.

    Raises:
        Exception: A step of the attempt failed, or the step to go on from was never met.
    """
    if isinstance(result, Signal):
        return raised(result, context)
    context.check_end()
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        return Failed("the handler returned what nobody awaits; it must await it, or be async", error_type="exception")
    if result is not None:
        context.output(result)
    return Completed()


def raised(error: BaseException, context: Context) -> Outcome:
    """Return the outcome of an attempt in which ``error`` was raised, and leave it in ``context.error`` if it failed.

    The trace leaves out the frame in which the error was caught.
    """
    leaves = list(_leaves(error))
    # What a TaskGroup wraps is still what the handler raised.
    cause = leaves[0] if len(leaves) == 1 or all(isinstance(leaf, Signal) for leaf in leaves) else error
    match cause:
        case Snooze():
            return Snoozed(cause.delay)
        case Cancel():
            return Cancelled(cause.reason or "the handler cancelled the job")
        case Retry():
            failed = Failed(cause.reason, error_type="retry", retry_in=cause.delay)
        case InvalidArguments():
            failed = Failed(f"invalid arguments: {cause}", error_type="invalid_args")
        case _:
            failed = Failed(error_text(cause), _trace(error), error_type="exception")
    context.error = cause
    return failed


def told_to_stop() -> bool:
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
    """Return the traceback without its first frame; of a long one the end, which says where it broke."""
    own = error.__traceback__
    parts = traceback.format_exception(type(error), error, own.tb_next if own else None)
    shortened = [part if len(part) <= MAX_FRAME_CHARACTERS else part[:MAX_FRAME_CHARACTERS] + "…\n" for part in parts]
    data = "".join(shortened).encode(errors="replace")
    if len(data) <= MAX_TRACE_BYTES:
        return data.decode()
    return "…" + data[-MAX_TRACE_BYTES + len("…".encode()) :].decode(errors="ignore")
