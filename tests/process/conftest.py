"""What process tests share."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from riverrun.settings.connection import url_from_conninfo
from support.daemons import Daemon, command_lines
from support.eventually import eventually
from support.queuectl import Queuectl


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="rr-"))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(path / "run"))
    for name in ("RIVERRUN_CONFIG", "NOTIFY_SOCKET", "RIVERRUN_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def daemon(folder: Path, database: str) -> AsyncIterator[Daemon]:
    """A daemon that is not started yet; afterwards it is gone, and so is every process it ever had."""
    daemon = Daemon(folder, url_from_conninfo(database))
    daemon.configure("queues: {mail: {}}")
    yield daemon
    if daemon.process is not None and daemon.process.returncode is None:
        daemon.send(signal.SIGKILL)
        await daemon.end()
    await eventually(lambda: not any(f"--config {daemon.config}" in line for line in command_lines()), within=5)


@pytest.fixture
def queuectl(database: str, tmp_path: Path) -> Queuectl:
    """Give ``queuectl`` for the test's own database."""
    return Queuectl(database, tmp_path)
