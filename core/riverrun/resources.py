"""What handlers share in a process, such as a pool of connections: opened before the first job, closed after the last.

    @riverrun.resource
    async def pool() -> AsyncIterator[Pool]:
        async with Pool(dsn) as pool:
            yield pool

    @riverrun.handler("report")
    async def report(args: Report, pool: Pool) -> None: ...

A handler, or another resource, gets it for the parameter that has its name, or is annotated with the type it gives.
"""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from riverrun.errors import ResourceUnavailable
from riverrun.functions import named
from riverrun.sanitize import error_text

log = logging.getLogger(__name__)

OPEN_SECONDS, CLOSE_SECONDS = 30.0, 5.0

F = TypeVar("F", bound=Callable[..., object])

_CLOSED = object()
_WRAPPED = (
    collections.abc.AsyncIterator, collections.abc.AsyncGenerator, collections.abc.Iterator, collections.abc.Generator,
    contextlib.AbstractAsyncContextManager, contextlib.AbstractContextManager,
)  # fmt: skip
_JSON = (dict, list, str, bytes, int, float, bool)
"""Types of arguments: a parameter that is annotated with one gets a resource by its name only."""


class Resource:
    """Something that is opened once in a process.

    Attributes:
        name: The name of its function.
        gives: The type of its value; ``None`` when its function does not say.
        needs: The resources that its function takes.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__
        self.function = function
        hints = get_type_hints(function)
        self.gives = _given(hints.get("return"))
        self.needs = tuple(_needed(function, hints))
        self._value: object = _CLOSED

    @property
    def value(self) -> object:
        """What handlers get.

        Raises:
            ResourceUnavailable: It is not open.
        """
        if self._value is _CLOSED:
            raise ResourceUnavailable(
                self.name, "it is not open; a process opens what its handlers take when it starts"
            )
        return self._value

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """Open it, to be closed with ``stack``.

        Raises:
            ResourceUnavailable: It could not be opened, or not in time.
        """
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                self._value = await self._entered(stack)
        except TimeoutError:
            raise ResourceUnavailable(self.name, f"it was not open after {OPEN_SECONDS:g} s") from None
        except Exception as error:
            raise ResourceUnavailable(self.name, error_text(error)) from error

    async def _entered(self, stack: contextlib.AsyncExitStack) -> object:
        made: Any = self.function
        if inspect.isasyncgenfunction(made):
            made = contextlib.asynccontextmanager(made)
        elif inspect.isgeneratorfunction(made):
            made = contextlib.contextmanager(made)
        made = made(*(need.value for need in self.needs))
        if inspect.isawaitable(made):
            made = await made
        if hasattr(made, "__aenter__"):
            value = await made.__aenter__()
        else:
            value = made.__enter__() if hasattr(made, "__enter__") else made
        stack.push_async_callback(self._close, made)
        return value

    async def _close(self, made: Any) -> None:
        """Close it; what goes wrong with that is no reason not to close the others."""
        self._value = _CLOSED
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                if hasattr(made, "__aexit__"):
                    await made.__aexit__(None, None, None)
                elif hasattr(made, "__exit__"):
                    made.__exit__(None, None, None)
        except Exception as error:  # noqa: BLE001 - it is a user's
            log.warning("resource_not_closed", extra={"resource": self.name, "error": error_text(error)})


_registered: dict[str, Resource] = {}


def resource(function: F) -> F:
    """Register a function as the maker of what handlers share; its name is the name of the resource.

    It may return the thing, or a context manager around it, be ``async``, or yield it once: what follows the ``yield``
    closes it. It may take other resources. Define it before what takes it.

    Raises:
        TypeError: It takes something that is no resource.
        ValueError: Another function is registered under its name.
    """
    new = Resource(function)
    known = _registered.setdefault(new.name, new)
    if named(known.function) != named(function):
        raise ValueError(f"two resources {new.name!r}: {named(known.function)} and {named(function)}")
    _registered[new.name] = new
    return function


def wanted(name: str, hint: object) -> Resource | None:
    """Return the resource that a parameter takes: the one of its name, else the only one of its type; None if none."""
    found = _registered.get(name)
    if found is not None and (hint is inspect.Parameter.empty or found.gives in (None, hint)):
        return found
    if hint is None or (get_origin(hint) or hint) in _JSON:
        return None
    typed = [each for each in _registered.values() if each.gives == hint]
    return typed[0] if len(typed) == 1 else None


@contextlib.asynccontextmanager
async def opened(resources: Iterable[Resource]) -> AsyncIterator[None]:
    """Keep ``resources``, and those they need, open for as long as the block.

    Raises:
        ResourceUnavailable: One of them could not be opened; those that were open are closed.
    """
    async with contextlib.AsyncExitStack() as stack:
        for each in _in_order(resources):
            await each.open(stack)
        yield


def _in_order(resources: Iterable[Resource]) -> dict[Resource, None]:
    """Return resources, each once and behind those it needs."""
    ordered: dict[Resource, None] = {}
    for each in resources:
        ordered |= {**_in_order(each.needs), each: None}
    return ordered


def _needed(function: Callable[..., object], hints: dict[str, Any]) -> Iterable[Resource]:
    for parameter in inspect.signature(function).parameters.values():
        found = wanted(parameter.name, hints.get(parameter.name, parameter.empty))
        if found is None:
            raise TypeError(f"{named(function)}: {parameter.name} is no resource; define it before {function.__name__}")
        yield found


def _given(hint: Any) -> object:
    """Return the type of the value behind the annotation of what a function returns or yields."""
    return get_args(hint)[0] if get_origin(hint) in _WRAPPED and get_args(hint) else hint
