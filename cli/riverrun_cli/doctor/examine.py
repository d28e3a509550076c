"""Puts the questions in their order; without the tables of this release, none is asked of them.

connect ── server ── sessions ── horizon ── schema ── tables ── fleet
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection

from riverrun.database import schema_check
from riverrun.database.connect import connect, first_line
from riverrun.database.statements import Statements, Steps
from riverrun.errors import DatabaseUnavailable, InvalidInput, SchemaError
from riverrun.pooler import shares_sessions
from riverrun.settings.schema import Settings
from riverrun.store import health, horizon, indexes, registry, rescue, schedules, statistics
from riverrun.store.horizon import Pin
from riverrun_cli.doctor import fleet, server, tables
from riverrun_cli.doctor.finding import Finding, error, warning
from riverrun_cli.doctor.horizon import of_pins

T = TypeVar("T")

_EXPIRED_SECONDS = 10.0
_SESSION = {"timezone": "UTC", "statement_timeout": "30s"}


async def examine(dsn: str, settings: Settings) -> list[Finding]:
    """Return everything that is wrong with the database at ``dsn`` and with the fleet that works on it."""
    try:
        conn = await connect(dsn, name="riverrun/doctor", session=_SESSION)
    except DatabaseUnavailable as refusal:
        return [error("connection", str(refusal), mend=_way_to_connect(str(refusal)))]
    async with conn:
        return await Examination(conn, dsn, settings).run()


class Examination:
    """One connection, and what was learnt on it."""

    def __init__(self, conn: AsyncConnection[Any], dsn: str, settings: Settings) -> None:
        self._conn = conn
        self._dsn = dsn
        self._settings = settings
        self._statements = Statements(settings.postgresql.schema_name)
        self._schema = ""
        self._pins: list[Pin] = []

    async def run(self) -> list[Finding]:
        """Ask everything that can be asked, and return what is wrong."""
        found = [
            *await _asked("server", self._of_server),
            *await _asked("pooler", self._of_sessions),
            *await _asked("horizon", self._of_horizon),
        ]
        without = await _asked("schema", self._of_schema)
        if not without:
            found += await _asked("tables", self._of_tables)
            found += await _asked("fleet", self._of_fleet)
        return found + without

    async def _of_server(self) -> list[Finding]:
        began, sent = time.time(), time.monotonic()
        facts = await self._ask(health.database())
        half = (time.monotonic() - sent) / 2
        return [
            *server.of_encryption(self._conn.info.hostaddr, encrypted=self._conn.pgconn.ssl_in_use),
            *server.of_server(facts),
            *server.of_clock(facts.now.timestamp() - began - half, uncertain=half),
            *server.of_settings(self._settings),
        ]

    async def _of_sessions(self) -> list[Finding]:
        return list(server.of_sharing(await shares_sessions(self._dsn, name="riverrun/doctor")))

    async def _of_horizon(self) -> list[Finding]:
        self._pins = await self._ask(horizon.pins())
        return list(of_pins(self._pins))

    async def _of_schema(self) -> list[Finding]:
        """Find why this release cannot work on the tables; they are not asked anything then."""
        try:
            self._schema = await schema_check.schema_name(self._conn, self._settings.postgresql.schema_name)
            self._behind = await schema_check.check(self._conn, self._settings.postgresql.schema_name)
        except (SchemaError, InvalidInput) as refusal:
            sentence, _, command = str(refusal).rpartition("; run: ")
            return [error("schema", sentence or command, mend=command if sentence else "see the sentence before")]
        return []

    async def _of_tables(self) -> list[Finding]:
        facts = await self._ask(health.database())
        missing = await self._ask(health.missing_privileges(tables.NEEDED_PRIVILEGES))
        vacuum = await self._ask(health.vacuum(tables.JOBS))
        pinned = any(of_pins(self._pins))
        return [
            *tables.of_migrations(self._behind),
            *tables.of_privileges(missing, role=facts.role, schema=self._schema),
            *tables.of_priority(await self._ask(health.constraints(tables.JOBS)), schema=self._schema),
            *tables.of_indexes(await self._ask(indexes.of_table(tables.JOBS)), schema=self._schema),
            *(tables.of_vacuum(vacuum, pinned=pinned, schema=self._schema) if vacuum else ()),
        ]

    async def _of_fleet(self) -> list[Finding]:
        now = (await self._ask(health.database())).now
        expired = await self._ask(health.expired_executors(_EXPIRED_SECONDS))
        return [
            *fleet.of_leaders(await self._ask(health.leaders()), self._settings),
            *fleet.of_queues(await self._ask(statistics.queues())),
            *fleet.of_kinds(await self._ask(health.unhandled_kinds())),
            *fleet.of_services(await self._ask(registry.handlers())),
            *fleet.of_executors(expired, await self._ask(rescue.missing_executors())),
            *fleet.of_schedules(await self._ask(schedules.list_all()), now),
        ]

    async def _ask(self, steps: Steps[T]) -> T:
        return await self._statements.run(self._conn, steps)


async def _asked(check: str, ask: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    """Return what ``ask`` finds, or that it could not be asked: the next question may have an answer."""
    try:
        return await ask()
    except (psycopg.Error, DatabaseUnavailable) as refusal:
        return [warning(check, f"this could not be examined: {first_line(refusal)}", mend="see the error; then again")]


def _way_to_connect(refusal: str) -> str:
    if "startup parameter" in refusal:
        return "this is a pooler: point database_url at PostgreSQL itself; producers may keep the pooler"
    return "start PostgreSQL, or correct database_url: queuectl config show"
