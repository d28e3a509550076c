"""One system at work on one database: its driver, and what the handlers of its workers report."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.systems import Environment

ANSWER_SECONDS = 300.0
STOP_SECONDS = 45.0


class TooSlow(Exception):
    """A system did not finish in the time that a measurement has."""


@dataclass
class Reports:
    """What worker processes have told, by process id."""

    latest: dict[int, dict[str, float]] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, name="reports", daemon=True).start()

    @property
    def handled(self) -> int:
        """How many calls of handlers there were."""
        return int(sum(report["handled"] for report in list(self.latest.values())))

    @property
    def first(self) -> float:
        """When the first handler was called, in seconds of the monotonic clock."""
        return min(report["first"] for report in self.latest.values()) / 1e9

    def total(self, figure: str) -> float:
        """Return the sum of a figure over all workers."""
        return sum(report[figure] for report in self.latest.values())

    def close(self) -> None:
        """Hear nothing more."""
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                message = self._socket.recv(65_536)
            except OSError:
                return
            report = json.loads(message)
            self.waits += report.pop("waits")
            self.latest[report["pid"]] = report


class Session:
    """A driver that obeys commands."""

    def __init__(self, driver: subprocess.Popen[str], reports: Reports) -> None:
        self._driver = driver
        self.reports = reports

    def do(self, verb: str, **parameters: object) -> dict[str, Any]:
        """Let the driver do something and return its answer.

        Raises:
            RuntimeError: It died instead; its own message is on stderr.
            TooSlow: It gave no answer in time.
        """
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.write(json.dumps({"do": verb, **parameters}) + "\n")
        self._driver.stdin.flush()
        alarm = threading.Timer(ANSWER_SECONDS, self._driver.kill)
        alarm.start()
        try:
            line = self._driver.stdout.readline()
        finally:
            alarm.cancel()
        if not line:
            code = self._driver.wait()
            if code == -9:
                raise TooSlow(f"no answer to {verb} within {ANSWER_SECONDS:g} s")
            raise RuntimeError(f"the driver ended at {verb} with exit code {code}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def wait_handled(self, jobs: int, *, within: float) -> float:
        """Wait until handlers were called ``jobs`` times; return when that was seen.

        Raises:
            TooSlow: They were not, within so many seconds.
        """
        deadline = time.monotonic() + within
        while self.reports.handled < jobs:
            if time.monotonic() > deadline:
                raise TooSlow(f"{self.reports.handled} of {jobs} jobs within {within:g} s")
            time.sleep(0.002)
        return time.monotonic()


@contextmanager
def session(environment: Environment, dsn: str) -> Iterator[Session]:
    """Give a driver on the database ``dsn``; it and all its workers are gone afterwards."""
    reports = Reports()
    driver = subprocess.Popen(
        environment.command,
        env={**os.environ, **environment.variables, "BENCH_DSN": dsn, "BENCH_REPORT": str(reports.port)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    started = Session(driver, reports)
    try:
        yield started
    finally:
        assert driver.stdin is not None
        driver.stdin.close()  # a driver without one stops its workers and ends
        try:
            driver.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            driver.kill()
            driver.wait()
        reports.close()
