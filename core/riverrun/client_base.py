"""What both clients share: which database they work on, and the jobs a producer's words become."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from riverrun.database.connect import described, session_dsn
from riverrun.database.migration_files import checked_schema
from riverrun.database.statements import Statements
from riverrun.errors import ConfigError, InvalidInput
from riverrun.events import checked_kinds
from riverrun.job_spec import Args, EnqueueHook, EnqueueOptions, JobSpec, checked_job, known_words
from riverrun.names import check_max_attempts
from riverrun.new_job import NewJob, new_job
from riverrun.subscription import Subscription

T = TypeVar("T")

APPLICATION_NAME = "riverrun/client"
WAIT_SECONDS = 10.0
"""How long a call waits for a connection of the client to become free."""


class ClientBase:
    """The database of a client and its defaults; `Client` and `AsyncClient` say what the arguments mean."""

    def __init__(
        self,
        dsn: str | None = None,
        *,
        schema: str | None = None,
        max_attempts: int = 25,
        max_connections: int = 4,
        hooks: Iterable[EnqueueHook] = (),
    ) -> None:
        self._dsn = _checked_dsn(dsn if dsn is not None else default_dsn())
        self._database = described(self._dsn)
        self._statements = Statements(None if schema is None else checked_schema(schema))
        self._max_attempts = check_max_attempts(max_attempts, "max_attempts")
        if (
            isinstance(max_connections, bool)
            or not isinstance(max_connections, int)
            or not 1 <= max_connections <= 1000
        ):
            raise InvalidInput("max_connections", max_connections, "a whole number from 1 to 1000")
        self._max_connections = max_connections
        self._hooks = tuple(hooks)
        self._closed = False

    def _pool_options(self) -> dict[str, Any]:
        """Return what both kinds of pool are made with: nothing is opened before it is needed, no wait is endless."""
        return {
            "conninfo": session_dsn(self._dsn, name=APPLICATION_NAME),
            "kwargs": {"autocommit": True},
            "min_size": 0,
            "max_size": self._max_connections,
            "timeout": WAIT_SECONDS,
        }

    def _subscription(self, kinds: Iterable[str], timeout: float | None) -> Subscription:
        if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0):
            raise InvalidInput("timeout", timeout, "a number of seconds above 0, or None")
        return Subscription(self._dsn, self._statements, checked_kinds(kinds), timeout)

    def _new(self, kind: str, args: Args, options: EnqueueOptions) -> NewJob:
        if self._hooks:
            job = self._hooked({"kind": kind, "args": args, **options})
            return new_job(**{"max_attempts": self._max_attempts, **known_words(job)})
        return new_job(kind, args, **{"max_attempts": self._max_attempts, **options})

    def _checked(self, jobs: Iterable[JobSpec | NewJob]) -> Iterator[NewJob]:
        return (self._checked_at(position, job) for position, job in enumerate(_several(jobs)))

    def _checked_at(self, position: int, job: JobSpec | NewJob) -> NewJob:
        if self._hooks and isinstance(job, Mapping):
            job = self._hooked(job)
        return checked_job(job, max_attempts=self._max_attempts, field=f"jobs.{position}")

    def _hooked(self, job: JobSpec) -> JobSpec:
        """Return a copy of what the producer said, as the hooks have left it."""
        copy: JobSpec = {**job}
        for hook in self._hooks:
            hook(copy)
        return copy


def default_dsn() -> str:
    """Return the database that is meant when none is named.

    Raises:
        ConfigError: ``DATABASE_URL`` is not set and the embedded PostgreSQL does not run.
    """
    if url := os.environ.get("DATABASE_URL"):
        return url
    return embedded_dsn(os.environ.get("RIVERRUN_EMBEDDED__DATA_DIR"))


def embedded_dsn(data_dir: str | Path | None) -> str:
    """Return the embedded PostgreSQL with its data in ``data_dir``, or in this user's own folder, if it runs.

    Raises:
        ConfigError: It does not run.
    """
    from riverrun.database.embedded import EmbeddedPostgres  # noqa: PLC0415 - most producers never need it

    embedded = EmbeddedPostgres(Path(data_dir) if data_dir else None)
    if embedded.running():
        return embedded.dsn()
    raise ConfigError(["no database is named: set DATABASE_URL, or start the embedded one: queuectl start --dev"])


def connection_of(conn: object, wanted: type[T]) -> T:
    """Return the caller's own connection, when it is one that the client can use.

    Raises:
        InvalidInput: It is something else, such as a connection of another driver.
    """
    if not isinstance(conn, wanted):
        name = f"psycopg.{wanted.__name__}"
        raise InvalidInput("conn", type(conn).__qualname__, f"a {name}", code="type")
    return conn


def _several(jobs: Iterable[JobSpec | NewJob]) -> Iterable[JobSpec | NewJob]:
    if isinstance(jobs, str | bytes | Mapping) or not isinstance(jobs, Iterable):
        raise InvalidInput("jobs", type(jobs).__name__, "several jobs, each a mapping with kind and args", code="type")
    return jobs


def _checked_dsn(dsn: object) -> str:
    allowed = "a connection string such as postgres://user:password@host/database"
    if not isinstance(dsn, str):
        raise InvalidInput("dsn", type(dsn).__name__, allowed, code="type")
    try:
        conninfo_to_dict(dsn)
    except ProgrammingError:
        # Neither the text nor the cause is shown: libpq quotes what it stumbled over, which can be the password.
        raise InvalidInput("dsn", "…", allowed, code="format") from None
    return dsn
