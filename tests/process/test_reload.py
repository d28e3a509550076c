"""With ``--dev`` the next job runs the code that was just written, whatever was written before it."""

from __future__ import annotations

from pathlib import Path

from riverrun import AsyncClient, JobState
from riverrun.database.embedded import EmbeddedPostgres
from support.daemons import Daemon
from support.eventually import eventually

CODE = """
import asyncio, pathlib
import riverrun

@riverrun.handler("order")
async def order(args: dict[str, str]) -> str:
    while not pathlib.Path(args["until"]).exists():
        await asyncio.sleep(0.02)
    return {version!r}
"""


async def output_of(client: AsyncClient, job_id: int) -> object:
    """Wait until a job has completed at its first attempt, and return its output."""

    async def is_over() -> bool:
        return (await client.get(job_id)).state == JobState.COMPLETED

    await eventually(is_over, within=30)
    job = await client.get(job_id)
    assert job.attempt == 1
    return job.metadata["output"]


async def test_a_handler_that_is_edited_runs_its_new_code_and_what_runs_finishes(daemon: Daemon) -> None:
    folder, code, finish = daemon.folder, daemon.folder / "shop.py", daemon.folder / "finish"
    folder.chmod(0o755)  # when root runs the tests the server has another account
    code.write_text(CODE.format(version="first"))
    daemon.config.write_text(
        "server_id: host-1\nriver: {shutdown_wait: 60s, queues: {default: {}}}\n"
        f"embedded: {{data_dir: {folder / 'data'}}}\nhandlers: {{path: [{folder}], modules: [shop]}}\n"
    )
    await (await daemon.start("--dev", "--role", "executor", module="riverrun_supervisor")).ready()
    async with AsyncClient(EmbeddedPostgres(folder / "data").dsn()) as client:
        running = (await client.enqueue("order", {"until": str(finish)})).job.id

        async def has_begun() -> bool:
            return (await client.get(running)).state == JobState.RUNNING

        await eventually(has_begun, within=20)

        code.write_text("this is no Python")
        await eventually(lambda: edits(daemon) == 1, within=10)
        finish.touch()
        assert await output_of(client, running) == "first"
        await eventually(lambda: "child_ended" in daemon.said, within=20)
        code.write_text(CODE.format(version="the second"))
        await eventually(lambda: edits(daemon) == 2, within=10)
        after = (await client.enqueue("order", {"until": str(Path(folder))})).job.id

        assert await output_of(client, after) == "the second"


def edits(daemon: Daemon) -> int:
    """Return how often an edit was seen."""
    return daemon.said.count("handlers_edited")
