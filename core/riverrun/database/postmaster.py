"""Why a file and a socket together say whether PostgreSQL runs: either alone may be left over from a crash.

`postmaster.pid` names a process id that may be somebody else's by now (in a container it nearly always is), and a dead
server's socket stays in its folder. Only when the socket that the file names is answered does a server run.

Lines of the file: 1 process id · 2 data folder · 3 start time · 4 port · 5 socket folder · 6 address · 7 memory
· 8 state, ``ready`` when sessions are accepted.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Postmaster:
    """The server on the data folder ``data``, if there is one; every answer is read anew."""

    data: Path

    @property
    def file(self) -> Path:
        """The file that a server keeps while it lives, and leaves behind when it is killed."""
        return self.data / "postmaster.pid"

    def pid(self) -> int | None:
        """Return the process id of a server that lives, whether it accepts sessions or not."""
        return int(self._line(1)) if self.listens() else None

    def ready(self) -> bool:
        """Return whether the server accepts sessions."""
        return self._line(8).strip() == "ready" and self.listens()

    def listens(self) -> bool:
        """Return whether anybody answers on the socket that the file names."""
        port, folder = self._line(4), self._line(5)
        if not folder:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(f"{folder}/.s.PGSQL.{port}") == 0

    def _line(self, number: int) -> str:
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines()
        except OSError:
            return ""
        return lines[number - 1] if len(lines) >= number else ""
