"""Hosts of a fleet, each a real daemon with everything that belongs to it, and what can be done to them.

A host is a `queuectl start` with a server_id, a folder and a configuration of its own; within a network namespace of
its own where the test made one. Whatever a test does, `Fleet.close` ends every process that was started, by its id.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from riverrun.control import ask
from support.eventually import eventually_sync

TESTS = Path(__file__).parents[1]
QUEUECTL = Path(sys.executable).with_name("queuectl")
READY_SECONDS = 60.0

DEFAULTS: dict[str, object] = {
    "shutdown_wait": "2s",
    "shutdown_cancel": "1s",
    "queues": {"default": {"max_workers": 20}},
}


class Host:
    """One host: its daemon, and the verbs that hurt it.

    Args:
        name: Its server_id.
        folder: Where its configuration and its log are.
        database: How it reaches PostgreSQL.
        witnesses: Where its handlers write what they do.
        river: Keys of that section of the configuration, besides the defaults of the tests.
        more: Other sections of the configuration.
        roles: Roles to run; empty for all.
        within: The command that a process of this host is started with, such as ``ip netns exec …``.
        environment: Variables besides those that every host has.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        database: str,
        witnesses: str,
        river: Mapping[str, object] | None = None,
        more: Mapping[str, object] | None = None,
        roles: Sequence[str] = (),
        within: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._config = folder / f"{name}.yaml"
        self._config.write_text(json.dumps(_configuration(name, database, {**DEFAULTS, **(river or {})}, more or {})))
        self._command = [*within, str(QUEUECTL), "start", "--config", str(self._config)]
        self._command += [part for role in roles for part in ("--role", role)]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("RIVERRUN_", "DATABASE_"))}
        path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
        own = {"PYTHONPATH": path, "FAULT_HISTORY": witnesses, "FAULT_HOST": name}
        self._environment = {**inherited, **own, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: set[int] = set()

    def reconfigure(self, river: Mapping[str, object]) -> None:
        """Change keys of that section of the configuration, and let the daemon read it again."""
        known = json.loads(self._config.read_text())
        self._config.write_text(json.dumps({**known, "river": {**known["river"], **river}}))
        self.send(signal.SIGHUP)

    def start(self) -> Host:
        """Start the daemon."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=self._config.parent, process_group=0,
            )  # fmt: skip
        return self

    def ready(self, within: float = READY_SECONDS) -> Host:
        """Wait until it works."""
        eventually_sync(lambda: self.status()["state"] == "ready", within=within, every=0.1)
        self._seen.update(self.pids())
        return self

    @property
    def pid(self) -> int:
        """Process id of its supervisor."""
        assert self._process is not None
        return self._process.pid

    def status(self) -> dict[str, Any]:
        """Return what ``queuectl status`` shows."""
        return ask(self.name, "status")

    def child(self, name: str) -> dict[str, Any]:
        """Return what the supervisor says of the first child whose name begins with ``name``."""
        children: list[dict[str, Any]] = self.status()["children"]
        return next(child for child in children if child["name"].startswith(name))

    def child_pid(self, name: str) -> int:
        """Return the process id of a child; waits for one that is about to be started."""
        found: list[int] = []

        def started() -> bool:
            found[:] = filter(None, [self.child(name)["pid"]])
            return bool(found)

        eventually_sync(started, within=READY_SECONDS, every=0.05)
        self._seen.update(found)
        return found[0]

    def send(self, number: signal.Signals, child: str | None = None) -> float:
        """Send a signal to a child, or to the supervisor, and return when that was."""
        pid = self.pid if child is None else self.child_pid(child)
        at = time.time()
        os.kill(pid, number)
        return at

    def kill_all(self) -> float:
        """Kill every process of the host at once and return when that was."""
        victims = self.pids()
        at = time.time()
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.wait()
        return at

    def freeze_all(self) -> float:
        """Stop every process of the host where it is and return when that was."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)
        return time.time()

    def wake_all(self) -> None:
        """Let the processes that were frozen go on."""
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def wait(self, seconds: float = 30.0) -> int:
        """Return the exit code of the daemon."""
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self, seconds: float = 30.0) -> int:
        """Stop the daemon as an operator does."""
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def pids(self) -> list[int]:
        """Return the processes of this host that live, the supervisor first."""
        return [self.pid, *_children(self.pid)] if self._process is not None and self._process.poll() is None else []

    def said(self) -> str:
        """Return its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def survivors(self) -> list[int]:
        """Return processes of this host that have outlived their supervisor."""
        return [pid for pid in self._seen if pid != self.pid and _belongs(pid, self._config)]

    def close(self) -> None:
        """End whatever is left of it."""
        if self._process is None:
            return
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)
        for pid in self.survivors():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Fleet:
    """The hosts of one test."""

    def __init__(self, folder: Path, *, database: str, witnesses: str) -> None:
        self._folder = folder
        self._database = database
        self._witnesses = witnesses
        self.hosts: list[Host] = []

    def host(self, name: str, *, database: str | None = None, **options: Any) -> Host:
        """Start a host; see `Host` for the options. It is not ready yet."""
        host = Host(name, self._folder, database=database or self._database, witnesses=self._witnesses, **options)
        self.hosts.append(host)
        return host.start()

    def ready(self) -> None:
        """Wait until all hosts work."""
        for host in self.hosts:
            host.ready()

    def close(self) -> None:
        """End every process."""
        for host in self.hosts:
            host.close()


def _configuration(
    name: str, database: str, river: Mapping[str, object], more: Mapping[str, object]
) -> dict[str, object]:
    parts = conninfo_to_dict(database)
    address = {"host": parts["host"], "port": int(parts.get("port") or 5432), "ssl_mode": "disable"}
    return {
        "server_id": name,
        "postgresql": {**address, "username": parts["user"], "database": parts["dbname"]},
        "river": river,
        "handlers": {"modules": ["fault.handlers"]},
        "admin": {"port": 0},
        "log": {"format": "json"},
        **more,
    }


def _children(pid: int) -> Iterator[int]:
    """Give the descendants of a process."""
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)
            yield from _children(int(child))


def _belongs(pid: int, config: Path) -> bool:
    """Return whether a process lives and was started with this configuration."""
    with suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" and str(config).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
