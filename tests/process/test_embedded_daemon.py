"""The embedded PostgreSQL as daemons and the shell find it, and when it ends under a daemon, whoever had started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from riverrun import AsyncClient, JobState
from riverrun.database.embedded import EmbeddedPostgres
from riverrun.database.postmaster import Postmaster
from support.daemons import Daemon
from support.eventually import eventually


def configure(daemon: Daemon) -> EmbeddedPostgres:
    """Let the daemon keep its embedded server in its own folder; return what finds that."""
    daemon.folder.chmod(0o755)  # when root runs the tests the server has another account
    daemon.configure(
        "queues: {default: {}}",
        f"embedded: {{data_dir: {daemon.folder / 'data'}}}\nhandlers: {{modules: [riverrun.examples]}}\n",
    )
    return EmbeddedPostgres(daemon.folder / "data")


async def test_migrate_finds_the_embedded_database_that_runs(daemon: Daemon) -> None:
    configure(daemon)
    await (await daemon.start("--dev", "--role", "executor", module="riverrun_supervisor")).ready()

    command = [sys.executable, "-m", "riverrun_cli.main", "migrate", "status", "--config", str(daemon.config)]
    found = subprocess.run(command, capture_output=True, check=True, text=True, timeout=30)

    assert "pending   none" in found.stdout


@pytest.mark.parametrize("whose", ["its own, killed", "another's, stopped"])
async def test_jobs_run_again_after_the_embedded_server_was_gone(daemon: Daemon, whose: str) -> None:
    postgres = configure(daemon)
    if whose == "another's, stopped":
        postgres.start()
    await (await daemon.start("--dev", "--role", "executor", module="riverrun_supervisor")).ready()

    if whose == "another's, stopped":
        postgres.stop()
    else:
        os.kill(Postmaster(daemon.folder / "data" / "cluster").pid() or 0, signal.SIGKILL)
        await eventually(lambda: not postgres.running(), within=10)
    await eventually(postgres.running, within=20)

    async with AsyncClient(postgres.dsn()) as client:
        job_id = (await client.enqueue("echo", {})).job.id

        async def is_over() -> bool:
            return (await client.get(job_id)).state == JobState.COMPLETED

        await eventually(is_over, within=30)
