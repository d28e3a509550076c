"""Real scheduler processes, started alone as an operator would, without a supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict


class SchedulerProcess:
    """One ``python -m riverrun_scheduler``; its output goes to a file."""

    def __init__(self, dsn: str, *, server_id: str, log: Path, **environment: str) -> None:
        parts = conninfo_to_dict(dsn)
        own = {
            "RIVERRUN_SERVER_ID": server_id,
            "RIVERRUN_POSTGRESQL__HOST": str(parts["host"]),
            "RIVERRUN_POSTGRESQL__PORT": str(parts["port"]),
            "RIVERRUN_POSTGRESQL__USERNAME": str(parts["user"]),
            "RIVERRUN_POSTGRESQL__DATABASE": str(parts["dbname"]),
        }
        self.server_id = server_id
        self.log = log
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("RIVERRUN_", "DATABASE_"))}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "riverrun_scheduler"],
                env={**inherited, **own, **environment},
                stdout=output,
                stderr=output,
                cwd=log.parent,
            )

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float = 10.0) -> int:
        """Return its exit code."""
        return self._process.wait(seconds)

    def close(self) -> None:
        """End it, whatever state it is in."""
        if not self.ended:
            self._process.kill()
        self._process.wait(10)

    def text(self) -> str:
        """Return what it has written."""
        return self.log.read_text(encoding="utf-8")
