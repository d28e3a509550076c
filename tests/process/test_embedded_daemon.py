"""A daemon on the embedded PostgreSQL works on when that server ends, whoever had started it."""

from __future__ import annotations

import os
import signal

import pytest

from riverrun import AsyncClient, JobState
from riverrun.database.embedded import EmbeddedPostgres
from riverrun.database.postmaster import Postmaster
from support.daemons import Daemon
from support.eventually import eventually


@pytest.mark.parametrize("whose", ["its own, killed", "another's, stopped"])
async def test_jobs_run_again_after_the_embedded_server_was_gone(daemon: Daemon, whose: str) -> None:
    daemon.folder.chmod(0o755)  # when root runs the tests the server has another account
    daemon.configure(
        "queues: {default: {}}",
        f"embedded: {{data_dir: {daemon.folder / 'data'}}}\nhandlers: {{modules: [riverrun.examples]}}\n",
    )
    postgres = EmbeddedPostgres(daemon.folder / "data")
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
