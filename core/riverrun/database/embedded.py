"""Why a database of our own: the first job runs minutes after `git clone`, with no server to install.

The server has no TCP port; whoever may enter its socket's folder (its owner, and root) is its superuser. To open
a port for other tools, set `listen_addresses` in `cluster/postgresql.conf`; over TCP a password is asked for.

    <data_dir>/                 of whoever starts the daemon
        owner.lock              held by the process that may stop the server; contains its process id
        postgresql.log          what the server says, and `.1` from the run before
        cluster/   socket/      0700, of the server's account
        programs-18.4/          only where that account cannot read the installed wheel

The first process to start takes the lock and owns the server; others join it. When an owner is killed, its server
lives on, and the next process to start takes both over.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql

from riverrun.database.postgres_binaries import binaries_for
from riverrun.database.postgres_cluster import PORT, PostgresCluster, socket_dsn
from riverrun.database.postmaster import Postmaster
from riverrun.database.system_account import Identity, server_identity
from riverrun.errors import ConfigError, DatabaseUnavailable

DATABASE = "riverrun"
JOIN_SECONDS = 60.0
# The kernel's limit for a socket's path is 107 bytes on Linux and 103 on macOS.
_SOCKET_PATH_BYTES = 100
# Written once, when the cluster is created; the owner of the data may change them there.
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "io_method": "sync",  # three processes less; a queue's pages are in memory anyway
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


class EmbeddedPostgres:
    """A PostgreSQL 18 server for this host, from the extra `embedded`.

    Args:
        data_dir: Where its data live and stay; ``None`` takes `default_data_dir()`.
    """

    def __init__(self, data_dir: Path | None = None) -> None:
        self.data_dir = Path(os.path.abspath(data_dir or default_data_dir()))  # noqa: PTH100  symlinks stay as named
        self._cluster: PostgresCluster | None = None
        self._lock: int | None = None

    @property
    def owns(self) -> bool:
        """Whether this object started the server or took it over, and so is the one that stops it."""
        return self._lock is not None

    def start(self) -> None:
        """Make the server run and its database exist, or join the server that another process runs.

        Blocks up to a minute; takes under two seconds the first time and a fraction of one later. May be called
        again at any time, and starts a server that died.

        Raises:
            ConfigError: The wheel, the system account or the folder cannot be used as they are.
            DatabaseUnavailable: The server did not start; the message ends with the last lines of its log.
        """
        with self._explained():
            self._make_data_dir()
            if self._take_lock() or not self._join():
                self._start_own()
            self._make_database()

    def stop(self) -> None:
        """Stop the server if this object owns it; one that was joined is left running.

        Raises:
            DatabaseUnavailable: The server does not stop.
        """
        if self._cluster is not None:
            self._cluster.stop()
            self._cluster = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def running(self) -> bool:
        """Return whether a server runs on the data, whoever started it."""
        return Postmaster(self._data).ready()

    def dsn(self, database: str = DATABASE) -> str:
        """Return the connection string of ``database``; the same in every process, before and after the start."""
        return socket_dsn(self._sockets, database)

    def _start_own(self) -> None:
        try:
            self._cluster = self._cluster or self._prepare_cluster()
            self._cluster.create(_SETTINGS)
            self._cluster.start()
        except BaseException:
            self.stop()
            raise

    def _prepare_cluster(self) -> PostgresCluster:
        identity = server_identity()
        self._check_entry(identity)
        return PostgresCluster(
            self._data,
            binaries=binaries_for(identity, copies=self.data_dir),
            identity=identity,
            sockets=self._sockets,
            log=self.data_dir / "postgresql.log",
        )

    def _join(self) -> bool:
        """Wait for the owner's server; return False when the owner has left instead, which makes it ours."""
        deadline = time.monotonic() + JOIN_SECONDS
        while not self.running():
            if self._take_lock():
                return False
            if time.monotonic() > deadline:
                owner = (self.data_dir / "owner.lock").read_text(encoding="ascii").strip()
                raise DatabaseUnavailable(
                    f"process {owner} holds the embedded PostgreSQL in {self.data_dir}, but it does not run; "
                    "stop that process, or choose another folder with RIVERRUN_EMBEDDED__DATA_DIR"
                )
            time.sleep(0.05)
        return True

    def _take_lock(self) -> bool:
        """Return whether the server is ours to start and stop, from now until `stop` or the end of this process."""
        if self._lock is not None:
            return True
        lock = os.open(self.data_dir / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._lock = lock
        return True

    def _make_database(self) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True, connect_timeout=10) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                with suppress(psycopg.errors.DuplicateDatabase):  # another process joined and was faster
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _make_data_dir(self) -> None:
        """Create what is missing of the path; folders that exist keep their permissions."""
        mode = 0o755 if os.geteuid() == 0 else 0o700  # root's server runs as another account, which passes through
        missing = [folder for folder in (self.data_dir, *self.data_dir.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)

    def _check_entry(self, identity: Identity) -> None:
        if not identity.can_enter(self.data_dir):
            problem = (
                f"embedded.data_dir: the account that PostgreSQL runs as cannot enter {self.data_dir}; choose "
                f"a folder that it can reach with RIVERRUN_EMBEDDED__DATA_DIR, such as {default_data_dir()}"
            )
            raise ConfigError([problem])

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigError([f"embedded.data_dir: {self.data_dir} cannot be used: {error}"]) from error
        except subprocess.TimeoutExpired as error:
            raise DatabaseUnavailable(f"{error.cmd[0]} did not end within {error.timeout:.0f} s") from error
        except psycopg.Error as error:
            raise DatabaseUnavailable(f"the embedded PostgreSQL in {self.data_dir} refused: {error}") from error

    @property
    def _data(self) -> Path:
        return self.data_dir / "cluster"

    @property
    def _sockets(self) -> Path:
        """The socket's folder; a short one outside when the path would be too long, the same for every process."""
        inside = self.data_dir / "socket"
        unsafe = "," in str(inside) or '"' in str(inside)  # both separate names, for the server and for clients
        if not unsafe and len(os.fsencode(inside / f".s.PGSQL.{PORT}")) <= _SOCKET_PATH_BYTES:
            return inside
        return Path("/tmp") / f"riverrun-{hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]}"  # noqa: S108


def default_data_dir() -> Path:
    """Return where the embedded server's data live unless told otherwise; it depends on the user alone."""
    if os.geteuid() == 0:
        return Path("/var/lib/riverrun/postgresql")
    data_home = os.environ.get("XDG_DATA_HOME", "")
    home = Path(data_home) if data_home.startswith("/") else Path.home() / ".local" / "share"
    return home / "riverrun" / "postgresql"
