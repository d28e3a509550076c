"""The admin process's own few connections: every wait is bounded, and a lost server is found again by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from riverrun.database.connect import described, first_line, session_dsn
from riverrun.database.pool_check import check_async
from riverrun.database.statements import Statements, Steps
from riverrun.errors import DatabaseUnavailable, SchemaError
from riverrun.settings.schema import Settings
from riverrun.telemetry import metrics

T = TypeVar("T")

CONNECTION_WAIT_SECONDS = 2.0
WAITING_REQUESTS = 200
MOST_CONNECTIONS = 10

_SESSION = {
    "statement_timeout": "2s",
    # A filter that is not given is a NULL parameter; a plan made for the values leaves it out.
    "plan_cache_mode": "force_custom_plan",
}


class QueryTimeout(DatabaseUnavailable):
    """A statement did not end within its limit; a narrower question may."""


class Database:
    """The pool and the statements of one schema.

    Args:
        settings: Names the database and its schema, and how many connections to keep open.
    """

    def __init__(self, settings: Settings) -> None:
        dsn = settings.dsn()
        pool = settings.postgresql
        self.schema = pool.schema_name
        self.described = described(dsn)
        self.statements = Statements(self.schema)
        self._pool: AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]] = AsyncConnectionPool(
            session_dsn(dsn, name="riverrun/admin", session=_SESSION),
            kwargs={"autocommit": True},
            min_size=min(pool.min_conns, MOST_CONNECTIONS),
            max_size=min(pool.max_conns, MOST_CONNECTIONS),
            open=False,
            timeout=CONNECTION_WAIT_SECONDS,
            max_waiting=WAITING_REQUESTS,
            # A short patience: after it, the next request tries at once instead of waiting out a long pause.
            reconnect_timeout=CONNECTION_WAIT_SECONDS,
            check=check_async,
        )

    async def open(self) -> None:
        """Let the pool connect; returns at once, whether or not the server can be reached."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close(timeout=CONNECTION_WAIT_SECONDS)

    async def run(self, steps: Steps[T]) -> T:
        """Run one operation, each of its statements in a transaction of its own.

        Raises:
            DatabaseUnavailable: No connection within 2 s, or it was lost.
            QueryTimeout: A statement took longer than 2 s.
        """
        async with self.connection() as conn:
            return await self.statements.run(conn, steps)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[tuple[Any, ...]]]:
        """Lend a connection; what the driver raises inside becomes an error of ours.

        Raises:
            DatabaseUnavailable, QueryTimeout: As ``run``.
        """
        with self.explained():
            async with self._pool.connection() as conn:
                yield conn

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Let what the driver raises inside become an error of ours.

        Raises:
            DatabaseUnavailable, QueryTimeout: As ``run``.
        """
        try:
            yield
        except (PoolTimeout, PoolClosed, TooManyRequests) as error:
            metrics.db_failed("connect")
            raise DatabaseUnavailable(
                f"no connection to {self.described} within {CONNECTION_WAIT_SECONDS:.0f} s"
            ) from error
        except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable) as error:
            metrics.db_failed("request")
            raise QueryTimeout("the database did not answer within 2 s; narrow the filter or try again") from error
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedObject) as error:
            raise SchemaError(f"the database has not the tables of this release: {first_line(error)}") from error
        except psycopg.OperationalError as error:
            metrics.db_failed("request")
            raise DatabaseUnavailable(f"the connection to {self.described} was lost: {first_line(error)}") from error
