"""What users put around their handlers: middleware, hooks and error handlers, registered by the modules of handlers.

    on_begin hooks → middleware, the first registered outermost → handler → on_end hooks → on_error, if it has failed

All are registered when their module is imported, and run in the order in which that happened. They run in the executor,
on its event loop, whatever runs the handler; one that is a plain function must not block.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, TypeAlias, TypeVar

from riverrun.context import Context
from riverrun.events import Event
from riverrun.functions import is_async, named
from riverrun.handler_outcome import raised, told_to_stop
from riverrun.names import check_kind
from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Interrupted, Outcome, Snoozed

log = logging.getLogger(__name__)

END_SECONDS = 10.0
"""How long a hook or an error handler may take when the handler has ended; then it is left out."""

Work: TypeAlias = Callable[[], Awaitable[Outcome]]
"""What a middleware calls to let the attempt go on, and awaits; it raises nothing but a cancellation."""

Middleware: TypeAlias = Callable[[Context, Work], Awaitable[Outcome]]
BeginHook: TypeAlias = Callable[[Context], Awaitable[None] | None]
EndHook: TypeAlias = Callable[[Context, Outcome], Awaitable[Outcome | None] | Outcome | None]
ErrorHandler: TypeAlias = Callable[[Context, Failed | Discarded], Awaitable[Outcome | None] | Outcome | None]

Place = Literal["begin", "middleware", "end", "error", "event"]
F = TypeVar("F", bound=Callable[..., Any])

OUTCOMES = (Completed, Failed, Discarded, Cancelled, Snoozed, Interrupted)


@dataclass(frozen=True, slots=True)
class Extension:
    """A registered function.

    Attributes:
        place: Where it runs.
        function: The function.
        kinds: Of which jobs; ``None`` means of all.
    """

    place: Place
    function: Callable[..., Any]
    kinds: frozenset[str] | None


_registered: dict[tuple[Place, str], Extension] = {}


def middleware(*kinds: str) -> Callable[[F], F]:
    """Register an async function that runs around each attempt.

        @riverrun.middleware()
        async def with_span(ctx: Context, work: Work) -> Outcome:
            with tracer.start_as_current_span(ctx.job.kind):
                return await work()

    It returns the outcome of ``work()``, or another one; one that does not call ``work`` lets nothing run. What it
    raises counts as raised by the handler, `Snooze` and `Cancel` too. Context variables that it sets are seen by the
    handler.

    Args:
        kinds: Around attempts of these; without any around all.

    Raises:
        InvalidInput: One of ``kinds`` is none.
        TypeError: The function is not async.
    """
    return _registering("middleware", kinds)


def on_begin(*kinds: str) -> Callable[[F], F]:
    """Register a function, async or plain, that is called with the context before each attempt.

    What it raises counts as raised by the handler, which is then not called. Arguments as in `middleware`.
    """
    return _registering("begin", kinds)


def on_end(*kinds: str) -> Callable[[F], F]:
    """Register a function that is called with context and outcome at the end of each attempt, however it ended.

    It is called before the end is written. An outcome that it returns takes the place of the one it was given; ``None``
    leaves that. What it raises is logged and changes nothing. Arguments as in `middleware`.
    """
    return _registering("end", kinds)


def on_error(*kinds: str) -> Callable[[F], F]:
    """Register a function that is called as `on_end` hooks are, after them, when an attempt has failed.

        @riverrun.on_error()
        def give_up(ctx: Context, failure: Failed) -> Outcome | None:
            return Cancelled("no such account") if isinstance(ctx.error, NoAccount) else None

    Failed means: raised, out of time, discarded by a service, or of a kind that nobody handles; not: cancelled, snoozed
    or interrupted. ``ctx.error`` is what a Python handler raised. Of several functions the first that returns another
    ending than a failure is the last that is called. Arguments as in `middleware`.
    """
    return _registering("error", kinds)


def on_event() -> Callable[[Callable[[Event], object]], Callable[[Event], object]]:
    """Register a plain function that is called with an `Event` for each attempt that has ended in this executor.

    It is called once the end is in the database, on the event loop: it must not block. What it raises is logged.
    """
    return _registering("event", ())


class Extensions:
    """What is registered, as it runs around the attempts of an executor."""

    def __init__(self, registered: Sequence[Extension]) -> None:
        self._registered = registered
        self._of = cache(self._find)

    async def run(self, context: Context, work: Work) -> Outcome:
        """Call begin hooks and middleware, and ``work`` within them; return the outcome whatever they raise.

        Raises:
            CancelledError: The attempt was told to stop and did.
        """
        kind = context.job.kind
        try:
            for hook in self._of("begin", kind):
                await _answer(hook(context))
            for wrap in reversed(self._of("middleware", kind)):
                work = partial(_wrapped, wrap, context, work)
            return await work()
        except asyncio.CancelledError as error:
            if told_to_stop():
                raise
            return raised(error, context)
        except BaseException as error:  # noqa: BLE001 - nothing that a user's function raises may end the executor
            return raised(error, context)

    async def end(self, context: Context, outcome: Outcome) -> Outcome:
        """Call end hooks and error handlers, and return the outcome they leave; they cannot fail the attempt."""
        kind = context.job.kind
        for hook in self._of("end", kind):
            outcome = await _asked(hook, context, outcome)
        for handler in self._of("error", kind):
            if not isinstance(outcome, Failed | Discarded):
                break
            outcome = await _asked(handler, context, outcome)
        return outcome

    def _find(self, place: Place, kind: str) -> tuple[Callable[..., Any], ...]:
        known = (each for each in self._registered if each.place == place)
        return tuple(each.function for each in known if each.kinds is None or kind in each.kinds)


def extensions() -> Extensions | None:
    """Return all that is registered now; ``None`` when nothing is, so that nobody looks for it."""
    around = tuple(each for each in _registered.values() if each.place != "event")
    return Extensions(around) if around else None


def listeners() -> Sequence[Callable[[Event], object]]:
    """Return the functions that want to hear of ended attempts."""
    return [each.function for each in _registered.values() if each.place == "event"]


def _registering(place: Place, kinds: Sequence[object]) -> Callable[[F], F]:
    wanted = frozenset(check_kind(kind, "kinds") for kind in kinds) or None

    def register(function: F) -> F:
        if not is_async(function) and place == "middleware":
            raise TypeError(f"{named(function)}: a middleware awaits what it runs around, so it must be async")
        if is_async(function) and place == "event":
            raise TypeError(
                f"{named(function)}: nobody awaits what is called for an event, so it must be a plain function"
            )
        # A module that is loaded anew registers its functions again, under the same names.
        _registered[place, named(function)] = Extension(place, function, wanted)
        return function

    return register


async def _wrapped(wrap: Middleware, context: Context, work: Work) -> Outcome:
    return _checked(await wrap(context, work), wrap)


async def _asked(function: Callable[..., Any], context: Context, outcome: Outcome) -> Outcome:
    """Return what ``function`` makes of ``outcome``; if it fails, lasts or is stopped, the outcome stays."""
    try:
        async with asyncio.timeout(END_SECONDS):
            answer = await _answer(function(context, outcome))
        return outcome if answer is None else _checked(answer, function)
    except BaseException:  # a cancellation too: the attempt has ended, and how is known
        log.exception("hook_failed", extra={"function": named(function), "job_id": context.job.id})
        return outcome


async def _answer(given: Any) -> Any:
    return await given if inspect.isawaitable(given) else given


def _checked(answer: object, function: Callable[..., Any]) -> Outcome:
    if not isinstance(answer, OUTCOMES):
        raise TypeError(f"{named(function)} returned {type(answer).__name__}; expected an outcome of riverrun.outcome")
    return answer
