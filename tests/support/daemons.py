"""A supervisor with real processes under test, and the questions that tests ask of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg

from riverrun.control import ask
from support.eventually import eventually

SERVER_ID = "host-1"
TESTS = Path(__file__).parents[1]


class Daemon:
    """One supervisor under test, and the questions that tests ask of it."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.output = folder / "output"
        self.database = database
        self.process: asyncio.subprocess.Process | None = None

    def configure(self, river: str, more: str = "") -> None:
        self.config.write_text(
            f"server_id: {SERVER_ID}\nriver: {{shutdown_wait: 1s, shutdown_cancel: 1s, {river}}}\n{more}"
        )

    async def start(self, *options: str, module: str = "support.daemon", **environment: str) -> Daemon:
        with self.output.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, "--config", str(self.config), *options,
                env={**os.environ, "PYTHONPATH": str(TESTS), "DATABASE_URL": self.database, **environment},
                stdout=output, stderr=output, process_group=0,
            )  # fmt: skip
        return self

    async def ready(self) -> Daemon:
        await eventually(lambda: self.status()["state"] == "ready", within=20)
        return self

    async def end(self, within: float = 15) -> int:
        assert self.process is not None
        async with asyncio.timeout(within):
            return await self.process.wait()

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def status(self) -> dict[str, Any]:
        return ask(SERVER_ID, "status")

    def children(self) -> dict[str, dict[str, Any]]:
        return {child["name"]: child for child in self.status()["children"]}

    def pids(self) -> dict[str, int]:
        return {name: child["pid"] for name, child in self.children().items()}

    @property
    def said(self) -> str:
        return self.output.read_text()

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The lines that tell of an event, oldest first."""
        lines = (json.loads(line) for line in self.said.splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == event]

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database, autocommit=True) as conn:
            return conn.execute(query.encode()).fetchall()

    def execute(self, query: str, *arguments: object) -> None:
        with psycopg.connect(self.database, autocommit=True) as conn:
            conn.execute(query.encode(), arguments)


def lives(pid: int) -> bool:
    """Whether a process exists; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def command_lines() -> list[str]:
    """The command lines of all processes."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return lines
