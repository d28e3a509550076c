"""PgBouncer in front of a database, where the machine has it (Debian: pgbouncer)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from riverrun.database.system_account import server_identity
from support.eventually import eventually_sync
from support.ports import free_port

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")


@contextmanager
def pgbouncer(dsn: str, mode: str) -> Iterator[str]:
    """Give a connection string that leads to ``dsn`` through a pool of two sessions for each client's user.

    Args:
        dsn: The database.
        mode: ``session``, ``transaction`` or ``statement``.
    """
    assert PROGRAM is not None
    parts, port, identity = conninfo_to_dict(dsn), free_port(), server_identity()
    with tempfile.TemporaryDirectory(prefix="rrb-", dir="/tmp") as home:
        settings = Path(home) / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\npooled = host={parts['host']} port={parts.get('port', 5432)} dbname={parts['dbname']}"
            f" user={parts['user']}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {mode}\ndefault_pool_size = {40 if mode == 'session' else 2}\n"
            "ignore_startup_parameters = options,extra_float_digits\n"
        )
        for path in (Path(home), settings):
            os.chown(path, identity.owner, -1)
        with (Path(home) / "log").open("wb") as log:
            process = subprocess.Popen(
                [PROGRAM, str(settings)], user=identity.user, group=identity.group, stdout=log, stderr=log,
                extra_groups=identity.extra_groups,
            )  # fmt: skip
        pooled = make_conninfo(host="127.0.0.1", port=port, user=parts["user"], dbname="pooled", sslmode="disable")
        try:
            eventually_sync(lambda: _answers(pooled), within=10)
            yield pooled
        finally:
            process.terminate()
            process.wait(10)


def _answers(dsn: str) -> bool:
    with psycopg.connect(dsn, autocommit=True, connect_timeout=2) as conn:
        return conn.execute("SELECT 1").fetchone() == (1,)
