"""Starts executors as the daemon starts them: its supervisor, real processes, one connection that listens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from riverrun.control import ask
from riverrun.errors import NotFound, RiverrunError
from riverrun.settings.connection import url_from_conninfo

START_SECONDS = 30.0
STOP_SECONDS = 40.0


class Executors:
    """A small daemon that works on one queue."""

    def __init__(self, server_id: str, daemon: subprocess.Popen[bytes]) -> None:
        self._server_id = server_id
        self.daemon = daemon

    @property
    def pids(self) -> list[int]:
        """The process ids of the executors."""
        children = cast("list[dict[str, Any]]", ask(self._server_id, "status")["children"])
        return [child["pid"] for child in children if child["pid"] is not None]

    def ready(self) -> bool:
        """Return whether all executors work.

        Raises:
            RiverrunError: The daemon has ended instead.
        """
        if self.daemon.poll() is not None:
            raise RiverrunError(f"the executors did not start (exit code {self.daemon.returncode}); see above")
        try:
            return ask(self._server_id, "status")["state"] == "ready"
        except NotFound:
            return False


@contextmanager
def running(  # noqa: PLR0913 - what executors can be given
    dsn: str,
    *,
    queue: str,
    schema: str | None = None,
    processes: int = 1,
    slots: int = 600,
    modules: Sequence[str] = ("riverrun.bench_handlers",),
    wait: bool = True,
) -> Iterator[Executors]:
    """Give ``processes`` executors of ``queue`` with ``slots`` slots each; they are stopped afterwards.

    Args:
        dsn: The database; handed over in the environment, where other users cannot see it.
        queue: The queue.
        schema: The schema of the tables.
        processes: How many executors.
        slots: Slots of each.
        modules: Modules that register the handlers.
        wait: Return only when all of them work.
    """
    server_id = f"bench-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="riverrun-bench-") as folder:
        config = Path(folder, "config.yaml")
        config.write_text(json.dumps(_configuration(server_id, queue, processes, slots, modules)), encoding="utf-8")
        command = [sys.executable, "-P", "-m", "riverrun_supervisor", "--config", str(config), "--role", "executor"]
        daemon = subprocess.Popen(
            command, env=_environment(dsn, schema), stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
        )
        executors = Executors(server_id, daemon)
        try:
            if wait:
                _wait_until_ready(executors)
            yield executors
        finally:
            daemon.terminate()
            try:
                daemon.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _configuration(server_id: str, queue: str, processes: int, slots: int, modules: Sequence[str]) -> dict[str, object]:
    return {
        "server_id": server_id,
        "log": {"level": "warning"},
        "handlers": {"modules": list(modules)},
        "river": {"queues": {queue: {"processes": processes, "max_workers": processes * slots}}, "shutdown_wait": "2s"},
    }


def _environment(dsn: str, schema: str | None) -> dict[str, str]:
    """Return our environment with this database and without other settings, which must not change what is measured."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("RIVERRUN_") and name not in {"DATABASE_URL", "NOTIFY_SOCKET", "WATCHDOG_USEC"}
    }
    given = {"RIVERRUN_DATABASE_URL": url_from_conninfo(dsn)}
    return {**kept, **given, **({"RIVERRUN_POSTGRESQL__SCHEMA": schema} if schema else {})}


def _wait_until_ready(executors: Executors) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not executors.ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the executors were not ready within {START_SECONDS:g} s")
        time.sleep(0.02)
