"""Sees in development that somebody has edited a handler, so that the next jobs run the new code."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

LOOK_SECONDS = 0.5


class Sources:
    """The files from which the executors of this host have read their handlers."""

    def __init__(self) -> None:
        self._stamps: dict[str, tuple[int, int] | None] = {}

    def learn(self, files: Iterable[str]) -> None:
        """Watch ``files`` too; one that is watched already may have been edited since it was read."""
        for file in files:
            self._stamps.setdefault(file, _stamp(file))

    def changed(self) -> Sequence[str]:
        """Return the files that were edited, removed or put back since the last call."""
        now = {file: _stamp(file) for file in self._stamps}
        changed = [file for file, stamp in now.items() if stamp != self._stamps[file]]
        self._stamps = now
        return changed

    async def watch(self, tell: Callable[[Sequence[str]], None]) -> NoReturn:
        """Call ``tell`` with the files that have changed, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if changed := self.changed():
                tell(changed)


def _stamp(file: str) -> tuple[int, int] | None:
    """Return what an edit of a file changes; None: there is no such file."""
    try:
        found = os.stat(file)  # noqa: PTH116 - twice a second
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
