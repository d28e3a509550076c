"""Slows down who guesses: after a number of wrong tokens an address has to wait."""

from __future__ import annotations

import time
from collections import OrderedDict

from riverrun_admin.problems import Problem

MOST = 30
WINDOW_SECONDS = 60.0
MOST_ADDRESSES = 10_000


class Failures:
    """Wrong tokens of the last minute, by address; of very many addresses the longest known are forgotten."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, address: str) -> None:
        """Refuse an address that has shown too many wrong tokens.

        Raises:
            Problem: 429, with the seconds to wait.
        """
        since, failed = self._found.get(address, (0.0, 0))
        left = since + WINDOW_SECONDS - time.monotonic()
        if failed >= MOST and left > 0:
            detail = f"{MOST} wrong tokens came from this address within a minute"
            raise Problem(429, "too-many-requests", detail, headers={"Retry-After": str(int(left) + 1)})

    def add(self, address: str) -> None:
        """Note a wrong token."""
        now = time.monotonic()
        since, failed = self._found.pop(address, (now, 0))
        if now - since >= WINDOW_SECONDS:
            since, failed = now, 0
        self._found[address] = (since, failed + 1)
        while len(self._found) > MOST_ADDRESSES:
            self._found.popitem(last=False)
