"""Why tests never sleep for luck: they ask until the answer is right, and fail with the last one when time is up."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def eventually(
    predicate: Callable[[], object] | Callable[[], Awaitable[object]], *, within: float, every: float = 0.02
) -> None:
    """Return as soon as ``predicate``, a function or coroutine function, gives something true.

    An exception that it raises counts as "not yet".

    Args:
        predicate: Asked at least once, and once more when time is up.
        within: Seconds until it must have been true.
        every: Seconds between two questions.

    Raises:
        AssertionError: It never was; the message has its last value or exception.
    """
    attempt = _Attempt(predicate, within)
    while True:
        if await attempt.succeeds():
            return
        await asyncio.sleep(every)


def eventually_sync(predicate: Callable[[], object], *, within: float, every: float = 0.02) -> None:
    """Do the same without an event loop; see `eventually`."""
    attempt = _Attempt(predicate, within)
    while True:
        if attempt.succeeds_sync():
            return
        time.sleep(every)


class _Attempt:
    """The questions of one call, and what came of the last."""

    def __init__(self, predicate: Callable[[], object], within: float) -> None:
        self._predicate = predicate
        self._within = within
        self._deadline = time.monotonic() + within

    async def succeeds(self) -> bool:
        last_chance = time.monotonic() >= self._deadline
        try:
            value = self._predicate()
            if inspect.isawaitable(value):
                value = await value
        except Exception as error:  # noqa: BLE001  reported when time is up
            return self._not_yet(f"raised {error!r}", last_chance, error)
        return bool(value) or self._not_yet(f"gave {value!r}", last_chance)

    def succeeds_sync(self) -> bool:
        last_chance = time.monotonic() >= self._deadline
        try:
            value = self._predicate()
        except Exception as error:  # noqa: BLE001  reported when time is up
            return self._not_yet(f"raised {error!r}", last_chance, error)
        return bool(value) or self._not_yet(f"gave {value!r}", last_chance)

    def _not_yet(self, last: str, last_chance: bool, cause: Exception | None = None) -> bool:
        if last_chance:
            raise AssertionError(f"not true within {self._within} s; it last {last}") from cause
        return False
