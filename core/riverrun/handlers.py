"""Register functions as handlers: the decorator, what it learns from a signature, and the modules it is found in."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.errors import ConfigError
from riverrun.names import check_kind
from riverrun.retry import RIVER_BACKOFF, Backoff

F = TypeVar("F", bound=Callable[..., object])

_PLAIN = (inspect.Parameter.empty, Any, object, dict, Mapping, dict[str, Any], Mapping[str, Any], dict[str, object])


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that runs the jobs of one kind.

    Attributes:
        kind: The kind it was registered for.
        function: The function itself.
        is_async: A coroutine function, run on the event loop; a plain one is run in a thread.
        arguments: Builds the positional arguments of a call from a job and its context.
        timeout: Time limit of an attempt; ``None`` takes the configured one.
        backoff: How long failed jobs wait.
    """

    kind: str
    function: Callable[..., object]
    is_async: bool
    arguments: Callable[[ClaimedJob, Context], list[object]]
    timeout: timedelta | None
    backoff: Backoff


_registered: dict[str, Handler] = {}


def handler(
    kind: str, *, timeout: timedelta | float | None = None, backoff: Backoff = RIVER_BACKOFF
) -> Callable[[F], F]:
    """Register a function as the handler of ``kind``.

        @riverrun.handler("email", timeout=30)
        async def send(email: Email, ctx: Context) -> None: ...

    A parameter annotated ``Context`` receives the context. The other one, if any, receives the arguments: as a dict,
    as raw JSON when annotated ``str`` or ``bytes``, or as the dataclass, pydantic model or TypedDict it is annotated
    with, validated before the function runs. A result other than ``None`` is recorded as the job's output.

    Args:
        kind: The jobs to run.
        timeout: Time limit of an attempt in seconds; by default ``river.job_timeout``.
        backoff: How long failed jobs wait; by default River's policy.

    Raises:
        TypeError: The signature cannot be called with arguments and a context.
        ValueError: Another function is registered for ``kind``.
    """
    check_kind(kind, "kind")
    limit = timeout if timeout is None or isinstance(timeout, timedelta) else timedelta(seconds=timeout)

    def register(function: F) -> F:
        known = _registered.get(kind)
        if known is not None and known.function.__qualname__ != function.__qualname__:
            raise ValueError(f"two handlers for kind {kind!r}: {_named(known.function)} and {_named(function)}")
        _registered[kind] = Handler(
            kind=kind,
            function=function,
            is_async=inspect.iscoroutinefunction(function),
            arguments=_arguments_of(function),
            timeout=limit,
            backoff=backoff,
        )
        return function

    return register


def load_handlers(modules: Sequence[str], path: Sequence[Path] = ()) -> Mapping[str, Handler]:
    """Import ``modules`` and return every registered handler by kind.

    Args:
        modules: Names of modules, as the configuration lists them; nothing that came over a wire.
        path: Folders to search before the import path.

    Raises:
        ConfigError: A module could not be imported; names it and the cause.
    """
    for folder in reversed(path):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    problems = []
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - a user's module may fail in any way; it is reported, not hidden
            problems.append(f"handlers.modules: {name} cannot be imported: {type(error).__name__}: {error}")
    if problems:
        raise ConfigError(problems)
    return dict(_registered)


def _arguments_of(function: Callable[..., object]) -> Callable[[ClaimedJob, Context], list[object]]:
    """Return what builds the positional arguments of ``function``, by its signature."""
    hints = _hints(function)
    makers: list[Callable[[ClaimedJob, Context], object]] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY):
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
                raise TypeError(f"{_named(function)}: parameter {parameter.name} can never be given; make it optional")
            continue
        hint = hints.get(parameter.name, parameter.empty)
        makers.append(_context if _is_context(parameter.name, hint) else _args_maker(hint))
    if len(makers) > 2 or (len(makers) == 2 and _context not in makers):
        raise TypeError(f"{_named(function)}: a handler takes its arguments and a Context, each at most once")
    return lambda job, context: [make(job, context) for make in makers]


def _context(_: ClaimedJob, context: Context) -> Context:
    return context


def _is_context(name: str, hint: object) -> bool:
    return hint is Context or (hint is inspect.Parameter.empty and name in {"ctx", "context"})


def _args_maker(hint: Any) -> Callable[[ClaimedJob, Context], object]:
    """Return what turns the arguments of a job into the type a function asks for."""
    if hint is str:
        return lambda job, _: job.args_text
    if hint is bytes:
        return lambda job, _: job.args_text.encode()
    if hint in _PLAIN:
        return lambda job, _: job.args
    adapter = TypeAdapter(hint)
    return lambda job, _: adapter.validate_json(job.args_text)


def _hints(function: Callable[..., object]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except NameError as error:
        raise TypeError(f"{_named(function)}: an annotation cannot be resolved: {error}") from error


def _named(function: Callable[..., object]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
