"""A PostgreSQL server that a test may restart, crash and copy: durable, reached over TCP, and nobody else's."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from riverrun.database.postgres_binaries import PostgresBinaries, binaries_for
from riverrun.database.postgres_cluster import SUPERUSER, PostgresCluster
from riverrun.database.system_account import server_identity
from support.ports import free_port

SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "64MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "wal_level": "replica",
    "restart_after_crash": "on",
}


class DurableServer:
    """One server with everything that makes a commit survive a crash.

    Args:
        home: A folder that the server's account can enter.
        addresses: What it listens on besides 127.0.0.1.
    """

    def __init__(self, home: Path, *, addresses: tuple[str, ...] = (), data: Path | None = None) -> None:
        self.home = home
        self.port = free_port()
        self.data = data or home / "cluster"
        self._addresses = ("127.0.0.1", *addresses)
        self._binaries = binaries_for(server_identity(), copies=home)
        self._cluster = PostgresCluster(
            self.data, binaries=self._binaries, identity=server_identity(), sockets=home / f"socket-{self.port}",
            log=home / f"postgresql-{self.port}.log",
        )  # fmt: skip

    @property
    def binaries(self) -> PostgresBinaries:
        """The programs it runs."""
        return self._binaries

    def create(self, **settings: str) -> None:
        """Make its data folder, unless there is one, and start it."""
        own = {"port": str(self.port), "listen_addresses": ",".join(self._addresses)}
        self._cluster.create({**SETTINGS, **own, **settings})
        with (self.data / "pg_hba.conf").open("w", encoding="ascii") as access:
            access.write("local all all trust\nlocal replication all trust\n")
            access.write("host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n")
            access.writelines(f"host all all {address}/24 trust\n" for address in self._addresses[1:])
        self.start()

    def dsn(self, database: str = "postgres", *, host: str = "127.0.0.1") -> str:
        """Return the connection string of ``database`` over TCP."""
        return make_conninfo(host=host, port=self.port, user=SUPERUSER, dbname=database)

    def start(self) -> float:
        """Start it and return when it accepted sessions."""
        self._cluster.start()
        return time.time()

    def stop(self, *, crash: bool = False) -> float:
        """Stop it, fast or as a crash does, and return when that began."""
        at = time.time()
        if crash:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGQUIT)
        self._cluster.stop()
        return at

    def kill_backend(self) -> float:
        """Kill one session's process, after which PostgreSQL restarts all of them; return when that was."""
        with psycopg.connect(self.dsn(), autocommit=True) as conn:
            row = conn.execute("SELECT pg_backend_pid()").fetchone()
            assert row is not None
            os.kill(int(row[0]), signal.SIGKILL)
        return time.time()

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        return int((self.data / "postmaster.pid").read_text(encoding="ascii").splitlines()[0])

    def own(self, folder: Path) -> None:
        """Make a folder that belongs to its account."""
        folder.mkdir()
        owner = server_identity().user
        if owner is not None:
            os.chown(folder, owner, -1)

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement as the superuser."""
        with psycopg.connect(self.dsn(database), autocommit=True) as conn:
            conn.execute(statement.encode())


@contextmanager
def durable_server(*, addresses: tuple[str, ...] = (), **settings: str) -> Iterator[DurableServer]:
    """Give a durable server that is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="riverrun-fault-", dir="/tmp"))
    home.chmod(0o755)
    identity = server_identity()
    if identity.user is not None:
        os.chown(home, identity.user, -1)
    server = DurableServer(home, addresses=addresses)
    try:
        server.create(**settings)
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
