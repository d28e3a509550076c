"""How many rows one statement takes on: as many as the database manages in time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.errors import QueryCanceled

FEWEST = 50


class Batch:
    """A number of rows that shrinks when a statement was cancelled for taking too long, and grows back after."""

    def __init__(self, most: int) -> None:
        self.size = most
        self._most = most

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Surround a statement that takes on ``size`` rows."""
        try:
            yield
        except QueryCanceled:
            self.size = max(FEWEST, self.size // 4)
            raise
        self.size = min(self._most, self.size * 2)
