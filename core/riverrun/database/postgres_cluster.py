"""Why not `pg_ctl`: a server is created, started and stopped here without a shell, a port or a pause.

A cluster is PostgreSQL's word for one data folder and the databases in it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from psycopg.conninfo import make_conninfo

from riverrun.database.postgres_binaries import PostgresBinaries
from riverrun.database.postmaster import Postmaster
from riverrun.database.system_account import BARE_ENVIRONMENT, Identity
from riverrun.errors import ConfigError, DatabaseUnavailable

PORT = 5432  # only part of the socket's name
SUPERUSER = "riverrun"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
_POLL_SECONDS = 0.01


class PostgresCluster:
    """One PostgreSQL data folder, and the server on it.

    Args:
        data: The data folder; its parent exists and can be entered by ``identity``.
        binaries: The programs to run.
        identity: Whom they run as; owner of ``data`` and ``sockets``.
        sockets: Folder of the unix socket, 0700: who can enter it is the database's superuser.
        log: File that takes what the server prints; that of the run before is kept as ``<log>.1``.
    """

    def __init__(self, data: Path, *, binaries: PostgresBinaries, identity: Identity, sockets: Path, log: Path) -> None:
        self._data = data
        self._binaries = binaries
        self._identity = identity
        self._sockets = sockets
        self._log = log
        self._postmaster = Postmaster(data)
        self._process: subprocess.Popen[bytes] | None = None

    def dsn(self, database: str) -> str:
        """Return the connection string of ``database`` for whoever can enter the socket's folder."""
        return socket_dsn(self._sockets, database)

    def running(self) -> bool:
        """Return whether a server on this data folder accepts sessions."""
        return self._postmaster.ready()

    def create(self, settings: Mapping[str, str]) -> None:
        """Create the data folder with ``settings`` in its `postgresql.conf`, unless it exists.

        It appears under its name only when complete, so an interrupted creation leaves nothing to repair.

        Raises:
            ConfigError: It exists, and was made by another major version.
            DatabaseUnavailable: `initdb` failed; the message ends with what it said.
        """
        if self._data.exists():
            self._check_version()
            return
        fresh = self._data.with_name(f"{self._data.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        own_folder(fresh, self._identity)
        self._initdb(fresh)
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        fresh.rename(self._data)

    def start(self) -> None:
        """Start the server and return when it accepts sessions; nothing happens when it already does.

        The caller makes sure that no other process of ours starts or stops this cluster at the same time.

        Raises:
            DatabaseUnavailable: It did not get ready within ``START_SECONDS``; the message ends with its last words.
        """
        if self._settle():
            return
        own_folder(self._sockets, self._identity)
        self._process = self._spawn()
        self._wait(self._ready_or_ended, START_SECONDS)
        if not self.running():
            self.stop()
            raise DatabaseUnavailable(
                f"PostgreSQL did not start on {self._data}; its log {self._log} ends:\n{self._tail()}"
            )

    def stop(self) -> None:
        """Stop the server: sessions are ended, everything is written, and the next start needs no recovery.

        Raises:
            DatabaseUnavailable: It still runs after ``STOP_SECONDS`` and the emergency stop that follows.
        """
        for last_resort in (signal.SIGINT, signal.SIGQUIT):
            pid = self._server_pid()
            if pid is None:
                return
            with suppress(ProcessLookupError):
                os.kill(pid, last_resort)
            self._wait(lambda: self._server_pid() is None, STOP_SECONDS)
        if self._server_pid() is not None:
            raise DatabaseUnavailable(f"PostgreSQL on {self._data} does not stop; see its log {self._log}")

    def _settle(self) -> bool:
        """Return whether a server already runs; wait for one on its way, and clear away what a dead one left."""
        self._wait(lambda: self.running() or not self._postmaster.listens(), START_SECONDS)
        if self.running():
            return True
        if self._postmaster.listens():
            raise DatabaseUnavailable(
                f"PostgreSQL on {self._data} neither gets ready nor ends; see its log {self._log}"
            )
        if self._process is not None:
            self._process.wait(STOP_SECONDS)  # a killed child keeps its process id until it is waited for
        # Both files name a process id, and PostgreSQL would take whoever has it now for its predecessor.
        for left_over in (self._postmaster.file, self._sockets / f".s.PGSQL.{PORT}.lock"):
            left_over.unlink(missing_ok=True)
        return False

    def _spawn(self) -> subprocess.Popen[bytes]:
        if self._log.exists():
            self._log.replace(self._log.with_name(f"{self._log.name}.1"))
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [str(self._binaries.folder / "postgres"), "-D", str(self._data), "-k", str(self._sockets)],
                user=self._identity.user,
                group=self._identity.group,
                extra_groups=self._identity.extra_groups,
                cwd="/",
                env=BARE_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C on the terminal is for the daemon, which then stops the server
            )

    def _initdb(self, folder: Path) -> None:
        command = [str(self._binaries.folder / "initdb"), "-D", str(folder), "-U", SUPERUSER]
        command += ["--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        if self._binaries.major >= 17:  # Unicode rules of its own, the same on every system
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = self._identity.run(command)
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            raise DatabaseUnavailable(f"PostgreSQL could not create {self._data}: {done.stderr.strip()}")

    def _check_version(self) -> None:
        major = (self._data / "PG_VERSION").read_text(encoding="ascii").strip()
        if major != str(self._binaries.major):
            problem = (
                f"the data in {self._data} are of PostgreSQL {major}, the programs of {self._binaries.version}; "
                "dump them with the old release and load them into a new folder"
            )
            raise ConfigError([problem])

    def _server_pid(self) -> int | None:
        """Return the process id of the server, also of one that somebody else started; ``None`` when it has ended."""
        if self._process is not None:
            return self._process.pid if self._process.poll() is None else None
        return self._postmaster.pid()

    def _ready_or_ended(self) -> bool:
        return self.running() or self._server_pid() is None

    def _wait(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])


def socket_dsn(sockets: Path, database: str) -> str:
    """Return the connection string of ``database`` on the server whose unix socket is in ``sockets``."""
    return make_conninfo(host=str(sockets), port=PORT, user=SUPERUSER, dbname=database)


def own_folder(folder: Path, identity: Identity) -> None:
    """Make ``folder`` for ``identity`` alone (0700), or make sure that it already is.

    Raises:
        ConfigError: It exists and belongs to another account, or others may enter it.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if identity.user is not None and folder.lstat().st_uid == os.geteuid():
        os.chown(folder, identity.user, identity.group or -1, follow_symlinks=False)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != identity.owner or found.st_mode & 0o077:
        raise ConfigError(
            [f"{folder} must be a folder of user id {identity.owner} with mode 0700; remove it and start again"]
        )
