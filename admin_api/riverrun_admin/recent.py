"""Answers that readers share for a few seconds, so that a hundred open pages cost the database what one costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

MOST_KEPT = 200


class Recent:
    """Keeps answers by key, and lets only one reader ask for the same at a time."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[float, Any]] = {}
        self._asking: dict[Hashable, asyncio.Lock] = {}

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[T]], *, seconds: float) -> T:
        """Return the answer for ``key``, from ``ask`` when the last one is older than ``seconds``.

        What ``ask`` raises is raised, and nothing is kept.
        """
        async with self._asking.setdefault(key, asyncio.Lock()):
            kept = self._kept.get(key)
            if kept is not None and time.monotonic() - kept[0] < seconds:
                answer: T = kept[1]
                return answer
            answer = await ask()
            if len(self._kept) >= MOST_KEPT:
                self.forget()
            self._kept[key] = (time.monotonic(), answer)
            return answer

    def forget(self) -> None:
        """Drop every answer, because somebody has just changed what they tell."""
        self._kept.clear()
        self._asking = {key: lock for key, lock in self._asking.items() if lock.locked()}
