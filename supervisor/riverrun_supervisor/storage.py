"""Finds the database of this host, or brings one along, and makes sure that its tables are ours to use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import psycopg

from riverrun.database.connect import connect, first_line
from riverrun.database.embedded import EmbeddedPostgres
from riverrun.database.migrate import up
from riverrun.database.schema_check import check
from riverrun.errors import ConfigError, DatabaseUnavailable, SchemaError
from riverrun.pooler import refuse_shared_sessions
from riverrun.reconnect_wait import ReconnectWait
from riverrun.settings.connection import url_from_conninfo
from riverrun.settings.schema import ADDRESS_KEYS, Settings

T = TypeVar("T")

log = logging.getLogger(__name__)

NAME = "riverrun/supervisor/start"

KEEP_SECONDS = 2.0
"""How often it is looked whether the embedded server still runs."""


class Embedded:
    """The PostgreSQL that comes along; it is ours, so its tables are migrated without being asked."""

    def __init__(self, settings: Settings) -> None:
        self._postgres = EmbeddedPostgres(settings.embedded.data_dir)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedded")  # a stop waits for the start before it
        self._schema = settings.postgresql.schema_name
        self._reason = "--dev" if settings.database_configured else "no database is configured"

    @property
    def dsn(self) -> str:
        """The connection string of its database."""
        return self._postgres.dsn()

    async def start(self) -> None:
        """Start it, or join the one that another process runs, and bring its tables up to date.

        Raises:
            ConfigError: It cannot be used as configured.
            DatabaseUnavailable: It does not start.
            SchemaError: Its tables come from a newer release.
        """
        await self._in_thread(self._postgres.start)
        fields = {"data_dir": str(self._postgres.data_dir), "because": self._reason}
        log.info("embedded_database_started", extra=fields)
        async with await connect(self.dsn, name=NAME, session={"statement_timeout": "0"}) as conn:
            await up(conn, self._schema)

    async def keep(self) -> None:
        """Start it again whenever it is gone, until cancelled: it was killed, or whoever started it has left."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            if await self._in_thread(self._postgres.running):
                continue
            try:
                await self.start()
            except (ConfigError, SchemaError, DatabaseUnavailable, psycopg.Error) as error:
                log.warning("embedded_database_not_started", extra={"error": first_line(error)})

    async def stop(self) -> None:
        """Stop it, unless another process started it."""
        await self._in_thread(self._postgres.stop)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def pointed_at(dsn: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return ``environ`` changed so that whoever reads the configuration finds ``dsn`` and no other address."""
    addresses = {"DATABASE_URL", *(f"RIVERRUN_POSTGRESQL__{key.upper()}" for key in ADDRESS_KEYS)}
    dropped = addresses | {f"{name}_FILE" for name in addresses} | {"RIVERRUN_DATABASE_URL_FILE"}
    kept = {name: value for name, value in environ.items() if name.upper() not in dropped}
    return {**kept, "RIVERRUN_DATABASE_URL": url_from_conninfo(dsn)}


async def until_usable(settings: Settings) -> None:
    """Return when the configured database can be reached directly and has tables that this release works on.

    Waits, with backoff and one log line a try, for a database that cannot be reached.

    Raises:
        ConfigError: A pooler that lends sessions to others stands before it.
        SchemaError: The tables are missing or not ours; the message ends with the command to run.
    """
    backoff = ReconnectWait(timedelta(seconds=0.5), timedelta(seconds=15))
    while True:
        try:
            await refuse_shared_sessions(settings.dsn(), name=NAME)
            async with await connect(settings.dsn(), name=NAME) as conn:
                if behind := await check(conn, settings.postgresql.schema_name):
                    log.warning("tables_behind", extra={"problem": behind})
                return
        except psycopg.errors.InvalidCatalogName as error:
            raise SchemaError(first_line(error)) from error
        except (DatabaseUnavailable, psycopg.OperationalError) as error:
            seconds = backoff.next()
            log.warning("database_not_reached", extra={"error": first_line(error), "retry_in": seconds})
            await asyncio.sleep(seconds)
