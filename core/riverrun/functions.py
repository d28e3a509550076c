"""What can be said of a function without calling it, whatever it is wrapped in."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable


def is_async(function: Callable[..., object]) -> bool:
    """Return whether a call of ``function``, or of an object that can be called, gives a coroutine.

    Raises:
        TypeError: It is a class, or it yields, so that a call would run nothing.
    """
    code = code_of(function)
    if isinstance(function, type) or inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code):
        raise TypeError(f"{named(function)}: expected a function that returns, neither a class nor a generator")
    return inspect.iscoroutinefunction(code)


def named(function: Callable[..., object]) -> str:
    """Return module and name of a function, or of what a partial or an object calls."""
    code = code_of(function)
    return f"{getattr(code, '__module__', None)}.{code.__qualname__}"


def code_of(function: Callable[..., object]) -> Callable[..., object]:
    """Return the function in which a call of ``function``, a partial or an object runs."""
    while isinstance(function, functools.partial):
        function = function.func
    return function if inspect.isroutine(function) or isinstance(function, type) else type(function).__call__
