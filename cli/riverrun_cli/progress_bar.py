"""A bar for files that take a while, on stderr; imported only where a terminal shows it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class FileBar:
    """How much of a file was read."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, lines: int, read: int) -> None:
        """Move the bar to ``read`` bytes and show how many lines that was."""
        self._progress.update(self._task, completed=read, lines=lines)


@contextmanager
def progress_bar(file: BinaryIO) -> Iterator[FileBar]:
    """Show a bar while ``file`` is read; without an end where its size is not known."""
    try:
        size = os.fstat(file.fileno()).st_size or None
    except OSError:
        size = None
    columns = (BarColumn(), TextColumn("{task.fields[lines]} jobs"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield FileBar(progress, progress.add_task("import", total=size, lines=0))
