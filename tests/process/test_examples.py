"""The programs in the folder ``examples`` do what their page says, as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from riverrun import Client, Job, JobState
from riverrun.registration import registration
from riverrun.settings.connection import url_from_conninfo
from riverrun.store import registry
from support.eventually import eventually_sync
from support.ports import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
WITHIN = 20.0


def environment(database: str, **more: str) -> dict[str, str]:
    """Return the environment of this machine, with the test's database."""
    return {**os.environ, "DATABASE_URL": url_from_conninfo(database), **more}


@contextmanager
def running(*command: str, env: dict[str, str]) -> Iterator[None]:
    """Run a program as long as the block; it must end cleanly when asked to."""
    process = subprocess.Popen([sys.executable, *command], env=env)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(WITHIN)
    assert code == 0


@contextmanager
def executor(database: str) -> Iterator[Client]:
    """Run an executor with the handlers of the examples; give a client."""
    env = environment(
        database,
        RIVERRUN_HANDLERS__PATH=str(EXAMPLES),
        RIVERRUN_HANDLERS__MODULES="reports,riverrun.examples",
        RIVERRUN_RIVER__POLL_INTERVAL="100ms",
    )
    with running("-m", "riverrun_executor", "--queue", "default", env=env), Client(database) as client:
        yield client


def ended(client: Client, kind: str, args: dict[str, Any]) -> Job:
    """Enqueue a job and wait until it was attempted and does not run."""
    job_id = client.enqueue(kind, args).job.id

    def attempted() -> bool:
        job = client.get(job_id)
        return job.attempted_at is not None and job.state != JobState.RUNNING

    eventually_sync(attempted, within=WITHIN)
    return client.get(job_id)


def test_jobs_are_enqueued_in_three_ways(database: str) -> None:
    said = subprocess.run(
        [sys.executable, EXAMPLES / "enqueue.py"],
        env=environment(database), capture_output=True, text=True, check=True, timeout=WITHIN,
    ).stdout  # fmt: skip

    assert "is available, job 2 is scheduled" in said
    assert "enqueued 3 jobs together" in said
    assert "was there before: False\n" in said
    assert "was there before: True\n" in said
    with Client(database) as client:
        subjects = [job.args.get("subject") for job in client.list(kind="email").jobs]
    assert len(subjects) == 7
    assert "Order 1" in subjects
    assert "Order 2" not in subjects


def test_the_reports_are_written(database: str) -> None:
    with executor(database) as client:
        report = ended(client, "report", {"title": "Sales", "pages": 5})
        assert report.metadata["output"] == {"title": "Sales", "pages": 5, "attempt": 1}
        assert report.metadata["riverrun:progress"] == {"fraction": 0.8, "note": "page 5 of 5"}

        assert ended(client, "report", {"title": "Long", "pages": 1001}).state == JobState.CANCELLED
        assert ended(client, "report", {"title": "Later", "not_before": "2999-01-01T00:00:00Z"}).attempt == 0
        assert ended(client, "report", {}).errors[0].error == "invalid arguments: title: Field required"
        assert ended(client, "archive", {"files": 3}).metadata["output"] == {"archived": 3}


@pytest.fixture
def service() -> Iterator[str]:
    """Run the service on a free port and give its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/handle"

    def answers() -> bool:
        try:
            urlopen(Request(url, method="OPTIONS"), timeout=1)
        except HTTPError as error:
            error.close()
        return True

    with running(str(EXAMPLES / "http_service.py"), str(port), env=dict(os.environ)):
        eventually_sync(answers, within=WITHIN)
        yield url


def test_the_service_runs_jobs(database: str, service: str) -> None:
    with Client(database) as client:
        client.run(registry.register(registration("resize", "Resizer", "http", endpoint_url=service, timeout=60)))

    with executor(database) as client:
        assert ended(client, "resize", {"width": 640, "height": 480}).metadata["output"] == {"pixels": 307_200}
        refused = ended(client, "resize", {"width": "wide"})
        assert refused.state == JobState.DISCARDED
        assert refused.errors[0].error == "HTTP 422: width and height must be whole numbers"
        huge = ended(client, "resize", {"width": 100_000, "height": 100_000})
        assert (huge.state, huge.attempt, huge.metadata["snoozes"]) == (JobState.SCHEDULED, 0, 1)


def test_the_page_names_every_example() -> None:
    page = (EXAMPLES / "README.md").read_text()

    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        name for name in ("enqueue.py", "reports.py", "http_service.py") if f"({name})" in page
    }
