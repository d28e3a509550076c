"""Runs the real ``queuectl`` as a process, as people and scripts do."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

QUEUECTL = Path(sys.executable).with_name("queuectl")


class Queuectl:
    """Runs ``queuectl`` against one database."""

    def __init__(self, database: str, folder: Path) -> None:
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DATABASE_URL": as_url(database),
        }
        self._folder = folder

    def __call__(self, *arguments: str, given: str | bytes | None = None) -> subprocess.CompletedProcess[str]:
        data = given.encode() if isinstance(given, str) else given
        done = subprocess.run(
            [QUEUECTL, *arguments], input=data or b"", capture_output=True, timeout=50, cwd=self._folder,
            env=self._environment, check=False,
        )  # fmt: skip
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def json(self, *arguments: str, given: str | None = None) -> Any:
        done = self(*arguments, "-o", "json", given=given)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def on_terminal(self, *arguments: str, typed: str) -> tuple[int, str]:
        """Run with a terminal for all streams; return the exit code and what was shown."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [QUEUECTL, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=self._folder, env=self._environment
        ) as process:
            os.close(theirs)
            os.write(ours, typed.encode())
            shown = b""
            while chunk := _read(ours):
                shown += chunk
            code = process.wait(timeout=50)
        os.close(ours)
        return code, shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other side is gone
        return b""


def as_url(dsn: str) -> str:
    """Return a connection string of a socket in the form that the configuration takes."""
    parts = conninfo_to_dict(dsn)
    host, user = str(parts["host"]).replace("/", "%2F"), parts.get("user", "")
    return f"postgresql://{user}@{host}/{parts['dbname']}"
