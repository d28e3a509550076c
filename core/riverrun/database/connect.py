"""Open connections that notice a dead peer within seconds and never wait for ever."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection, Connection, OperationalError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from riverrun.errors import DatabaseUnavailable

# A server whose client vanished keeps its locks for hours unless it probes; these let any role ask for it.
_SESSION = {
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "3s",
    "statement_timeout": "10s",
    "jit": "off",
}


async def connect(
    dsn: str, *, name: str, session: dict[str, str] | None = None, prepared: bool = False
) -> AsyncConnection[tuple[Any, ...]]:
    """Open one autocommit connection.

    Args:
        dsn: Connection string; its own ``options`` come before ours.
        name: Shown as ``application_name``, such as ``riverrun/executor/claim``.
        session: Server settings of this session besides the defaults, by name.
        prepared: Prepare every statement when it is first run; for connections that run few statements often.

    Raises:
        DatabaseUnavailable: The server refused, or did not answer in time; the message has no password.
    """
    try:
        return await AsyncConnection.connect(
            session_dsn(dsn, name=name, session=session),
            autocommit=True,
            prepare_threshold=0 if prepared else 5,
        )
    except OperationalError as error:
        raise DatabaseUnavailable(f"cannot connect to {described(dsn)}: {first_line(error)}") from error


def connect_sync(dsn: str, *, name: str) -> Connection[tuple[Any, ...]]:
    """Open one blocking autocommit connection; arguments and errors are those of `connect`."""
    try:
        return Connection.connect(session_dsn(dsn, name=name), autocommit=True)
    except OperationalError as error:
        raise DatabaseUnavailable(f"cannot connect to {described(dsn)}: {first_line(error)}") from error


def session_dsn(dsn: str, *, name: str, session: dict[str, str] | None = None) -> str:
    """Return ``dsn`` with our timeouts, keepalives and session settings; what it says itself wins."""
    given = conninfo_to_dict(dsn)
    settings = " ".join(f"-c {key}={value}" for key, value in {**_SESSION, **(session or {})}.items())
    defaults: dict[str, str | int] = {
        "connect_timeout": 5,
        "tcp_user_timeout": 3000,
        "keepalives": 1,
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 3,
        # Of several hosts the one that takes writes; a standby alone is waited for like a server that is away.
        "target_session_attrs": "primary",
    }
    own = {"application_name": name, "options": f"{given.get('options') or ''} {settings}".strip()}
    return make_conninfo("", **{**defaults, **given, **own})


def described(dsn: str) -> str:
    """Name the server and database of ``dsn`` without its password."""
    parts = conninfo_to_dict(dsn)
    return (
        f"PostgreSQL at {parts.get('host', 'the default socket')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, which is the one that says what happened."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
