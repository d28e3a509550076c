"""A log file of each day that any number of processes may write together.

Every process appends whole lines, each in one ``write`` to a file opened with ``O_APPEND``, to the file of the day on
which the event happened: ``executor.log.2026-11-23``. Nothing is renamed at midnight, so no process has to agree with
another on the moment, and no line can land in the file of another day. ``executor.log`` is a link to the newest file,
for people and for tail.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from riverrun.errors import ConfigError


class DailyFile(logging.Handler):
    """Writes to ``<folder>/<name>.log.<day>``; days begin at midnight of this host's time zone.

    Raises:
        ConfigError: The folder or the file cannot be written.
    """

    def __init__(self, folder: Path, name: str, *, keep_days: int) -> None:
        super().__init__()
        self._link = folder / f"{name}.log"
        self._keep_days = keep_days
        self._descriptor: int | None = None
        self._until = 0.0
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._open(datetime.now(UTC).timestamp())
        except OSError as error:
            raise ConfigError([f"log_path: {self._link} cannot be written: {error.strerror}"]) from error

    def emit(self, record: logging.LogRecord) -> None:
        """Append one line; a failure goes to stderr and never to the caller."""
        try:
            # A line that another thread delayed past midnight stays in the newer file: days only go forward.
            if record.created >= self._until or self._descriptor is None:
                self._open(record.created)
            os.write(self._descriptor or 0, (self.format(record) + "\n").encode(errors="backslashreplace"))
        except Exception:  # noqa: BLE001 - as every handler of the standard library does
            self.handleError(record)

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        with self.lock or contextlib.nullcontext():
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)
        super().close()

    def _open(self, moment: float) -> None:
        day = datetime.fromtimestamp(moment, UTC).astimezone().date()
        target = self._link.with_name(f"{self._link.name}.{day.isoformat()}")
        opened = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        previous, self._descriptor = self._descriptor, opened
        self._until = datetime.combine(day + timedelta(days=1), time.min).astimezone().timestamp()
        if previous is not None:
            os.close(previous)
        self._point_link_at(target)
        self._remove_older_than(day - timedelta(days=self._keep_days))

    def _point_link_at(self, target: Path) -> None:
        """Move the link to ``target`` in one step; a process that is late never moves it back."""
        if self._link.is_symlink():
            if self._link.readlink().name >= target.name:
                return
        elif self._link.exists():
            self._link.replace(self._free_name())
        fresh = self._link.with_name(f".{self._link.name}.{os.getpid()}")
        with contextlib.suppress(FileExistsError):
            fresh.symlink_to(target.name)
        fresh.replace(self._link)

    def _free_name(self) -> Path:
        """Return where a plain file that stands in the place of the link is kept."""
        return self._link.with_name(f"{self._link.name}.{int(self._link.stat().st_mtime)}.old")

    def _remove_older_than(self, oldest: date) -> None:
        dated = re.compile(re.escape(self._link.name) + r"\.(\d{4}-\d{2}-\d{2})")
        for path in self._link.parent.iterdir():
            found = dated.fullmatch(path.name)
            if found and found[1] < oldest.isoformat():
                path.unlink(missing_ok=True)
