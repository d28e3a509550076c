"""The services in the folder ``examples/handlers`` verify who calls, answer every outcome, and show their progress."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from riverrun import Client, Job, JobState
from riverrun.registration import registration
from riverrun.settings.connection import url_from_conninfo
from riverrun.store import registry
from support.eventually import eventually_sync
from support.ports import free_port

KITS = Path(__file__).parents[2] / "examples" / "handlers"
WITHIN = 30.0
NODE, GO = shutil.which("node"), shutil.which("go")
GO_NEEDED = (1, 19)


def compiles(go: str | None) -> bool:
    """Return whether this compiler of Go is there, and new enough for the service in Go."""
    if go is None:
        return False
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"go(\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) >= GO_NEEDED


SERVICES = [
    pytest.param([sys.executable, str(KITS / "aiohttp" / "service.py")], "http", "/handle", id="aiohttp"),
    pytest.param([sys.executable, str(KITS / "fastapi" / "service.py")], "http", "/handle", id="fastapi"),
    pytest.param(
        [NODE or "node", str(KITS / "node" / "service.mjs")],
        "http",
        "/handle",
        id="node",
        marks=pytest.mark.skipif(NODE is None, reason="Node.js is not installed here"),
    ),
    pytest.param(
        [GO or "go", str(KITS / "go" / "service.go")],
        "http",
        "/handle",
        id="go",
        # Without anything in its cache the compiler has its own library to build first.
        marks=[pytest.mark.skipif(not compiles(GO), reason="Go 1.19 is not installed here"), pytest.mark.timeout(400)],
    ),
    pytest.param([sys.executable, str(KITS / "python_grpc" / "service.py")], "grpc", "/RunStream", id="python_grpc"),
]


def built(command: list[str], folder: Path) -> list[str]:
    """Return the command that starts a service, which the one in Go has to be compiled for."""
    if command[0] != GO:
        return command
    program = str(folder / "service")
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    subprocess.run([GO, "build", "-o", program, command[1]], check=True, env=environment, timeout=300, cwd=folder)
    return [program]


@contextmanager
def running(command: list[str], **more: str) -> Iterator[None]:
    """Run a program as long as the block."""
    process = subprocess.Popen(command, env={**os.environ, **more})
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WITHIN)


def listens(port: int) -> bool:
    """Return whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ended(client: Client, args: dict[str, Any]) -> Job:
    """Enqueue a job and wait until it was attempted and does not run."""
    job_id = client.enqueue("resize", args).job.id

    def attempted() -> bool:
        job = client.get(job_id)
        return job.attempted_at is not None and job.state != JobState.RUNNING

    eventually_sync(attempted, within=WITHIN)
    return client.get(job_id)


@pytest.mark.parametrize(("command", "protocol", "path"), SERVICES)
def test_a_kit_runs_jobs(database: str, tmp_path: Path, command: list[str], protocol: str, path: str) -> None:
    port = free_port()
    command = built(command, tmp_path)
    with Client(database) as client:
        url = f"{protocol}://127.0.0.1:{port}{path}"
        done = client.run(registry.register(registration("resize", "Resizer", protocol, endpoint_url=url, timeout=60)))
    dsn = url_from_conninfo(database)
    executor = [sys.executable, "-m", "riverrun_executor", "--queue", "default"]
    with (
        running([*command, str(port)], HANDLER_SECRET=done.signing_secret or ""),
        running(executor, DATABASE_URL=dsn, RIVERRUN_RIVER__POLL_INTERVAL="100ms"),
        Client(database) as client,
    ):
        eventually_sync(lambda: listens(port), within=WITHIN)

        resized = ended(client, {"width": 640, "height": 480})
        refused = ended(client, {"width": "wide"})
        empty = ended(client, {"width": 0, "height": 480})
        huge = ended(client, {"width": 100_000, "height": 100_000})
        large = ended(client, {"width": 10_000, "height": 6_000})  # the last one: a service that asks for time gets it

    assert (resized.state, resized.metadata["output"]) == (JobState.COMPLETED, {"pixels": 307_200})
    assert resized.metadata["riverrun:progress"]["fraction"] == 0.75
    assert "resizing to 640 x 480" in resized.metadata["river:log"][0]["log"]
    assert refused.state == JobState.DISCARDED
    assert "width and height must be whole numbers" in refused.errors[0].error
    assert (empty.state, empty.attempt) == (JobState.CANCELLED, 1)
    assert "there is nothing to resize" in empty.errors[0].error
    assert (large.state, large.attempt) == (JobState.RETRYABLE, 1)
    assert "no room for a picture of this size" in large.errors[0].error
    assert large.errors[0].at is not None
    assert (large.scheduled_at - large.errors[0].at).total_seconds() >= 30
    assert (huge.state, huge.attempt, huge.metadata["snoozes"]) == (JobState.SCHEDULED, 0, 1)


@pytest.mark.parametrize(("command", "protocol", "path"), SERVICES[:-1])
def test_a_kit_refuses_what_somebody_else_signed(
    database: str, tmp_path: Path, command: list[str], protocol: str, path: str
) -> None:
    port = free_port()
    command = built(command, tmp_path)
    with Client(database) as client:
        url = f"{protocol}://127.0.0.1:{port}{path}"
        client.run(registry.register(registration("resize", "Resizer", protocol, endpoint_url=url)))
    executor = [sys.executable, "-m", "riverrun_executor", "--queue", "default"]
    with (
        running([*command, str(port)], HANDLER_SECRET="whsec_" + "A" * 32),
        running(executor, DATABASE_URL=url_from_conninfo(database), RIVERRUN_RIVER__POLL_INTERVAL="100ms"),
        Client(database) as client,
    ):
        eventually_sync(lambda: listens(port), within=WITHIN)

        refused = ended(client, {"width": 640, "height": 480})

    assert "401" in refused.errors[0].error


@pytest.mark.parametrize(("command", "protocol", "path"), SERVICES[:-1])
def test_a_kit_that_has_no_secret_does_not_serve(tmp_path: Path, command: list[str], protocol: str, path: str) -> None:
    start = [*built(command, tmp_path), str(free_port())]
    environment = {**os.environ, "HANDLER_SECRET": ""}

    done = subprocess.run(start, env=environment, timeout=WITHIN, capture_output=True, text=True, check=False)

    assert done.returncode == 1, f"{protocol} {path}"
    assert "HANDLER_SECRET" in done.stderr
