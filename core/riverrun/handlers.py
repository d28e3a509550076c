"""Register functions as handlers, and import the modules that do."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.durations import LONGEST
from riverrun.errors import ConfigError, InvalidInput
from riverrun.functions import is_async, named
from riverrun.generators import stepwise
from riverrun.names import check_kind
from riverrun.resources import Resource
from riverrun.retry import RIVER_BACKOFF, RetryOption, RetryPolicy, backoff_of
from riverrun.sanitize import error_text
from riverrun.signature import arguments_of, resources_of, schema_of

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that runs the jobs of one kind.

    Attributes:
        kind: The kind it was registered for.
        function: The function itself.
        is_async: A coroutine function, run on the event loop; a plain one is run in a thread.
        arguments: Builds the positional arguments of a call from a job and its context; may raise `InvalidArguments`.
        timeout: Time limit of an attempt; ``None`` takes the configured one.
        backoff: How long failed jobs wait.
        concurrency: Attempts that may run in one executor process at once; ``None``: as many as it has slots.
        isolated: Run in a process of its own.
        memory_mb: What an attempt in a process of its own may take beyond what that has; ``None``: no limit.
        resources: What it takes beside arguments and context.
        args_schema: JSON Schema of the arguments as text; ``None``: its signature does not say.
    """

    kind: str
    function: Callable[..., object]
    is_async: bool
    arguments: Callable[[ClaimedJob, Context], list[object]]
    timeout: timedelta | None
    backoff: RetryPolicy
    concurrency: int | None = None
    isolated: bool = False
    memory_mb: int | None = None
    resources: tuple[Resource, ...] = ()
    args_schema: str | None = None


_registered: dict[str, Handler] = {}


def handler(  # noqa: PLR0913 - what may be said of a handler
    kind: str,
    *,
    aliases: Sequence[str] = (),
    timeout: timedelta | float | None = None,
    retry: RetryOption = RIVER_BACKOFF,
    concurrency: int | None = None,
    isolation: Literal["process"] | None = None,
    memory_mb: int | None = None,
) -> Callable[[F], F]:
    """Register a function as the handler of ``kind``.

        @riverrun.handler("email", timeout=30)
        async def send(email: Email, ctx: Context) -> None: ...

    A parameter annotated ``Context`` receives the context. The other one, if any, receives the arguments: as a dict,
    as raw JSON when annotated ``str`` or ``bytes``, or as the dataclass, pydantic model or TypedDict it is annotated
    with, validated before the function runs. Further ones receive resources, see `riverrun.resource`. A result other
    than ``None`` is recorded as the job's output. A generator yields its progress: a fraction, or that and a note.

    Args:
        kind: The jobs to run.
        aliases: Other names of the kind, such as one that jobs were enqueued with before it was renamed.
        timeout: Time limit of an attempt in seconds; by default ``river.job_timeout``.
        retry: How long failed jobs wait: seconds, a list of seconds for the first, second … error, a function of the
            job, or a policy of `riverrun.retry`; by default River's.
        concurrency: Attempts that may run in one executor process at once; by default as many as it has slots.
        isolation: ``process`` for code that may crash, hold the interpreter or fill the memory: each attempt runs in a
            process that no other attempt shares, and that is killed when it does not end in time.
        memory_mb: With ``isolation``, what an attempt may take beyond what its process has; only Linux enforces it.

    Raises:
        InvalidInput: ``kind`` or another argument is not allowed.
        TypeError: The function cannot be called with arguments and a context.
        ValueError: Another function is registered for ``kind``.
    """
    kinds = [check_kind(kind, "kind"), *(check_kind(alias, "aliases") for alias in _several(aliases))]
    _check_number("concurrency", concurrency, most=10_000)
    said = partial(
        Handler,
        timeout=None if timeout is None else _limit(timeout),
        backoff=backoff_of(retry, "retry"),
        concurrency=concurrency,
        isolated=_isolated(isolation, memory_mb),
        memory_mb=memory_mb,
    )

    def register(function: F) -> F:
        first = _described(function, partial(said, kind=kind))
        for each in kinds:
            _register(replace(first, kind=each))
        return function

    return register


def _described(function: Callable[..., Any], said: Callable[..., Handler]) -> Handler:
    """Return the handler that ``function`` is, with what it shows itself beside what was said of it."""
    run, takes = stepwise(function, arguments_of(function))
    return said(
        function=run,
        is_async=is_async(run),
        arguments=takes,
        resources=resources_of(function),
        args_schema=schema_of(function),
    )


def _register(new: Handler) -> None:
    # A module that is loaded anew registers its functions again, under the same names.
    known = _registered.setdefault(new.kind, new)
    if named(known.function) != named(new.function):
        raise ValueError(f"two handlers for kind {new.kind!r}: {named(known.function)} and {named(new.function)}")
    _registered[new.kind] = new


def load_handlers(modules: Sequence[str], path: Sequence[Path] = ()) -> Mapping[str, Handler]:
    """Import ``modules`` and return every registered handler by kind.

    Args:
        modules: Names of modules, as the configuration lists them; nothing that came over a wire.
        path: Folders to search before the import path.

    Raises:
        ConfigError: Modules could not be imported; names each and the cause.
    """
    for folder in reversed(path):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    problems = []
    for name in modules:
        try:
            importlib.import_module(name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a user's module may fail in any way, by sys.exit() too
            problems.append(f"handlers.modules: {name} cannot be imported: {error_text(error)}{_place(error)}")
    if problems:
        raise ConfigError(problems)
    return dict(_registered)


def _place(error: BaseException) -> str:
    """Return where an import failed, as the end of a sentence; a syntax error says so itself."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or len(frames) < 2 or frames[-1].filename.startswith("<frozen"):
        return ""
    return f" ({frames[-1].filename}, line {frames[-1].lineno})"


def _check_number(field: str, value: object, *, most: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InvalidInput(field, value, f"a whole number from 1 to {most}")


def _isolated(isolation: object, memory_mb: object) -> bool:
    """Return whether attempts run in a process of their own, which alone can be given so much memory and no more."""
    _check_number("memory_mb", memory_mb, most=1024 * 1024)
    if isolation not in (None, "process"):
        raise InvalidInput("isolation", isolation, "process or None", code="unknown")
    if memory_mb is not None and isolation is None:
        raise InvalidInput("memory_mb", memory_mb, 'nothing without isolation="process"', code="format")
    return isolation is not None


def _several(aliases: object) -> Sequence[object]:
    if isinstance(aliases, str | bytes) or not isinstance(aliases, Sequence):
        raise InvalidInput("aliases", aliases, "a list of kinds", code="type")
    return aliases


def _limit(timeout: timedelta | float) -> timedelta:
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST.total_seconds():
        raise InvalidInput("timeout", timeout, "a number of seconds above 0, or a timedelta")
    return timedelta(seconds=seconds)
