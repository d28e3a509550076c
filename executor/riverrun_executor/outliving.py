"""Handlers that go on after their attempts have ended."""

from __future__ import annotations

from collections.abc import Callable


class Outliving:
    """Counts them.

    Args:
        changed: Called whenever there is one more or one less.

    Attributes:
        count: How many there are now.
    """

    def __init__(self, changed: Callable[[], object] = lambda: None) -> None:
        self.count = 0
        self._changed = changed

    def outlived(self) -> None:
        """Note that an attempt was ended without its handler."""
        self.count += 1
        self._changed()

    def returned(self) -> None:
        """Note that one of them has ended."""
        self.count -= 1
        self._changed()
