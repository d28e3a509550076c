"""What README and quick start tell people to type works as it is written there, from an empty database on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from riverrun.database.postgres_binaries import wheel_binaries
from riverrun.settings.connection import url_from_conninfo
from support.eventually import eventually_sync
from support.ports import free_port
from support.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
DATABASE = "river_queue"
START = "queuectl start"

# The words are those of the pages; only the addresses are ours, because those of the pages may be taken.
ADDRESSES = """
shopt -u patsub_replacement 2> /dev/null  # newer shells would read the & of an address as what was replaced
curl() { command curl --silent --show-error --fail-with-body "${@//localhost:9999/127.0.0.1:$PORT}"; }
queuectl() { command queuectl "${@//postgres:\\/\\/user:password@localhost:5432\\/river_queue/$DATABASE_URL}"; }
"""
# The error that the page announces: there is no such job.
REFUSED = "12345"


def blocks(page: str) -> list[str]:
    """Return the shell blocks of a page in their order, without those of make, which other tests run."""
    found = re.findall(r"^```bash\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [block.strip() for block in found if not block.startswith("make ")]


class Newcomer:
    """Somebody in an empty folder with a PostgreSQL server, who types what the pages say."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        parts = conninfo_to_dict(server.dsn(DATABASE))
        self.port = free_port()
        self.folder = folder
        binaries = wheel_binaries()
        path = [str(Path(sys.executable).parent), str(binaries.folder), os.environ["PATH"]]
        self._environment = {
            "PATH": os.pathsep.join(path),
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PGHOST": str(parts["host"]),
            "PGPORT": str(parts["port"]),
            "PGUSER": str(parts["user"]),
            "PORT": str(self.port),
            "DATABASE_URL": url_from_conninfo(server.dsn(DATABASE)),
            "RIVERRUN_ADMIN__PORT": str(self.port),
            "RIVERRUN_SERVER_ID": f"quick-start-{self.port}",
            "BASH_ENV": str(folder / "addresses"),
        }
        (folder / "addresses").write_text(ADDRESSES)
        (folder / "sql").symlink_to(ROOT / "sql")
        shutil.copy(ROOT / "config.example.yaml", folder)

    def types(self, block: str) -> subprocess.CompletedProcess[str]:
        """Run a block and return what came of it."""
        return subprocess.run(
            ["bash", "-c", f"{block}\nwait"],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def daemon(self) -> Iterator[None]:
        """Run ``queuectl start`` in the foreground of another terminal."""
        log = self.folder / "daemon.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                ["bash", "-c", f"exec {START}"], cwd=self.folder, env=self._environment, stdout=output, stderr=output
            ) as process,
        ):
            try:
                ready = "set -e; curl http://localhost:9999/readyz; curl http://localhost:9999/admin/server/list"
                eventually_sync(lambda: self.types(ready).returncode == 0, within=30, every=0.2)
                yield
            finally:
                process.send_signal(signal.SIGINT)
                assert process.wait(timeout=40) == 0, log.read_text()


@pytest.fixture
def newcomer(tmp_path: Path, server: PostgresServer) -> Iterator[Newcomer]:
    """Give somebody who starts from nothing."""
    yield Newcomer(tmp_path, server)
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", ["docs/quick-start.md", "docs/quick-start.zh-CN.md"])
def test_every_command_of_the_quick_start_works_as_written(page: str, newcomer: Newcomer) -> None:
    before, after = _around_start(blocks(page))

    for block in before:
        _succeeds(newcomer, block)
    with newcomer.daemon():
        for block in after:
            if REFUSED in block:
                assert "not-found" in newcomer.types(block).stdout
            else:
                _succeeds(newcomer, block)
        done = 'curl "http://localhost:9999/admin/queue/jobs?queue=email&state=completed"'
        eventually_sync(lambda: "user@example.com" in newcomer.types(done).stdout, within=10, every=0.2)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_every_command_of_the_readme_works_as_written(newcomer: Newcomer) -> None:
    before, _ = _around_start(blocks("docs/quick-start.md"))
    for block in before:
        _succeeds(newcomer, block)

    with newcomer.daemon():
        for block in blocks("README.md"):
            _succeeds(newcomer, block)


def _around_start(commands: list[str]) -> tuple[list[str], list[str]]:
    """Return the blocks before and after the one that starts the daemon."""
    start = commands.index(START)
    return commands[:start], commands[start + 1 :]


def _succeeds(newcomer: Newcomer, block: str) -> None:
    result = newcomer.types(f"set -e\n{block}")
    assert result.returncode == 0, f"{block}\n{result.stdout}\n{result.stderr}"
