"""Let a handler be a generator: what it yields is its progress, and where it yields it can be stopped."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from contextlib import aclosing, closing
from typing import Any, TypeAlias

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.functions import code_of, named

Function: TypeAlias = Callable[..., object]
Arguments: TypeAlias = Callable[[ClaimedJob, Context], list[object]]


def stepwise(function: Function, arguments: Arguments) -> tuple[Function, Arguments]:
    """Return ``function`` as one that returns, and what builds its arguments; one that does not yield as it is."""
    code = code_of(function)
    if inspect.isgeneratorfunction(code):
        return _plain(function), lambda job, context: [context, *arguments(job, context)]
    if inspect.isasyncgenfunction(code):
        return _async(function), lambda job, context: [context, *arguments(job, context)]
    return function, arguments


def _plain(function: Callable[..., Any]) -> Function:
    """Return a function that runs a generator to its end, and returns what it returns.

    Once the attempt is over the generator is closed at its next ``yield``, so a plain function can be stopped there.
    """

    @functools.wraps(code_of(function))
    def run(context: Context, *given: object) -> object:
        with closing(function(*given)) as steps:
            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    return end.value
                _show(step, function, context)
                if context.cancelled:
                    raise asyncio.CancelledError

    return run


def _async(function: Callable[..., Any]) -> Function:
    @functools.wraps(code_of(function))
    async def run(context: Context, *given: object) -> None:
        async with aclosing(function(*given)) as steps:
            async for step in steps:
                _show(step, function, context)

    return run


def _show(step: object, function: Function, context: Context) -> None:
    match step:
        case None:
            return
        case int() | float():
            context.progress(step)
        case (int() | float() as fraction, str() as note):
            context.progress(fraction, note)
        case _:
            allowed = "a fraction from 0 to 1, that and a note, or nothing"
            raise TypeError(f"{named(function)} yields {type(step).__name__}; a handler yields {allowed}")
