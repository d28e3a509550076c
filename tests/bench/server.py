"""The one PostgreSQL server that all systems are measured on, one after another, each in databases of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql

from riverrun.database.postgres_binaries import PostgresBinaries, binaries_for
from riverrun.database.postgres_cluster import PostgresCluster
from riverrun.database.system_account import server_identity

# fsync, synchronous_commit and full_page_writes stay on, as in production.
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


class Server:
    """The running server."""

    def __init__(self, cluster: PostgresCluster, binaries: PostgresBinaries, log: Path) -> None:
        self._cluster = cluster
        self.log = log
        self.pgbench = binaries.folder / "pgbench"

    def dsn(self, database: str) -> str:
        """Return the connection string of a database."""
        return self._cluster.dsn(database)

    def connect(self, database: str = "postgres") -> Connection[Any]:
        """Open an autocommit connection."""
        return psycopg.connect(self.dsn(database), autocommit=True)

    def create(self, database: str, *, template: str = "template1") -> str:
        """Make a database anew, as a copy of ``template``, and return its connection string."""
        names = {"database": sql.Identifier(database), "template": sql.Identifier(template)}
        with self.connect() as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {database} WITH (FORCE)").format(**names))
            conn.execute(sql.SQL("CREATE DATABASE {database} TEMPLATE {template}").format(**names))
            conn.execute("CHECKPOINT")  # not while somebody is measured
        return self.dsn(database)


@contextmanager
def server() -> Iterator[Server]:
    """Give a fresh server, which is removed afterwards."""
    # Below /tmp: root's servers run as another account, which must reach them; and a socket's path must be short.
    home = Path(tempfile.mkdtemp(prefix="riverrun-bench-", dir="/tmp"))
    home.chmod(0o755)
    identity = server_identity()
    try:
        binaries = binaries_for(identity, copies=home)
        cluster = PostgresCluster(
            home / "cluster", binaries=binaries, identity=identity, sockets=home / "socket", log=home / "postgresql.log"
        )
        cluster.create(SETTINGS)
        cluster.start()
        try:
            yield Server(cluster, binaries, home / "postgresql.log")
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)
