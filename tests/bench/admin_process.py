"""An admin process of its own on one database, and what it costs the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from riverrun.settings.connection import url_from_conninfo
from support.ports import free_port

TESTS = Path(__file__).parents[1]
START_SECONDS = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class AdminProcess:
    """One that answers at ``url``."""

    url: str
    pid: int

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return int(self.url.rpartition(":")[2])

    @property
    def cpu_seconds(self) -> float:
        """The processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def memory_mb(self) -> float:
        """The memory that it holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def admin_process(dsn: str, module: str = "riverrun_admin") -> Iterator[AdminProcess]:
    """Give an admin process on ``dsn``, which ends with the block."""
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": url_from_conninfo(dsn),
        "RIVERRUN_ADMIN__PORT": str(port),
        "PYTHONPATH": str(TESTS),
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([sys.executable, "-m", module], cwd=folder, env=environment) as process,
    ):
        started = AdminProcess(f"http://127.0.0.1:{port}", process.pid)
        try:
            _wait(f"{started.url}/readyz", process)
            yield started
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError("the admin process did not get ready")
