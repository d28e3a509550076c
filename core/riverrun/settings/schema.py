"""What can be configured: every key, its type, its default and its meaning, once.

The keys of ``postgresql`` and ``river`` are those of the customer-facing quick start and keep their names. Durations
are written as ``"1h"``, ``"90s"`` or a number of seconds; ``-1`` means "no limit" where the description says so.
Defaults stand here and nowhere else; they are applied last, so that a lower source never hides a higher one.
A pair of values that cannot stand together is refused at the later of the two keys, so fields are in that order.
"""

from __future__ import annotations

import re
import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from riverrun.egress import check_entry
from riverrun.errors import ConfigError, InvalidInput
from riverrun.settings.admin import AdminSettings
from riverrun.settings.connection import conninfo_from_parts, conninfo_from_url
from riverrun.settings.notifications import NotificationSettings
from riverrun.settings.river import RiverSettings
from riverrun.settings.values import (
    Cron,
    DatabaseUrl,
    Duration,
    JsonObject,
    Kind,
    QueueName,
    ScheduleName,
    SchemaName,
    Section,
    ServerId,
    Tag,
    TimeZone,
    WholeNumber,
    matching,
)
from riverrun.unique import Unique

ADDRESS_KEYS = frozenset({"host", "port", "username", "password", "database", "ssl_mode", "ssl_root_cert"})
"""Keys of ``postgresql`` that say which database it is; the others may accompany a ``database_url``."""


_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


class PostgresqlSettings(Section):
    """How to reach PostgreSQL, key by key; `database_url` says the same in one line."""

    host: str = Field("localhost", min_length=1, description="host name, address, or folder of the unix socket")
    port: WholeNumber = Field(5432, ge=1, le=65535, description="port of the server")
    username: str = Field("postgres", min_length=1, description="role that the daemon logs in as")
    password: SecretStr | None = Field(None, description="password of that role")
    database: str = Field("river_queue", min_length=1, description="database that holds River's tables")
    ssl_mode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = Field(
        "prefer", description="TLS; verify-full is right for every database that is not on this host"
    )
    ssl_root_cert: Path | None = Field(None, description="certificates that verify-ca and verify-full trust")
    max_conns: WholeNumber = Field(
        100,
        ge=4,
        le=10_000,
        description="connections of the admin process at most, and never more than 10; each executor process opens"
        " three more, the supervisor two, the scheduler one, and one while it builds indexes anew",
    )
    min_conns: WholeNumber = Field(
        default_factory=lambda data: min(10, data.get("max_conns", 10)),
        ge=0,
        description="connections that the admin process keeps open, never more than 10; by default 10, or max_conns if"
        " that is less",
    )
    schema_name: SchemaName | None = Field(
        None, alias="schema", description="schema that holds River's tables; by default the role's search_path decides"
    )

    @field_validator("min_conns")
    @classmethod
    def _fits_max_conns(cls, value: int, info: ValidationInfo) -> int:
        most = info.data.get("max_conns", value)
        if value > most:
            raise ValueError(f"at most postgresql.max_conns, which is {most}")
        return value


class EmbeddedSettings(Section):
    """The PostgreSQL that the daemon brings along; used when no database is configured."""

    data_dir: Path | None = Field(None, description="where its data live; by default a folder of the user's own")


class HandlerSettings(Section):
    """Where handlers are found: modules only, never a path that came over the wire."""

    modules: list[Annotated[str, matching(_MODULE, "the name of a Python module such as shop.handlers")]] = Field(
        [], description="imported by every executor; their @handler functions are registered"
    )
    path: list[Path] = Field([], description="folders put before the import path")
    egress: list[Annotated[str, AfterValidator(check_entry)]] = Field(
        [], description="networks, addresses and names where services may live; by default anywhere but link-local"
    )
    secrets: list[Annotated[str, Field(min_length=1)]] = Field(
        ["HANDLER_*", "/run/secrets/*"],
        description="variables and files of this host that headers of registered handlers may name; * stands for any",
    )


class ScheduleUniqueSettings(Section):
    """When a tick enqueues nothing because such a job is there already."""

    by_args: bool | list[str] = Field(False, description="true: all arguments, or a list of dotted paths that count")
    by_period: Duration | None = Field(None, ge=timedelta(seconds=1), description="only within the same period")
    by_queue: bool = Field(False, description="only in the same queue")
    by_state: list[str] | None = Field(None, description="states in which a job counts; by default all but two")
    exclude_kind: bool = Field(False, description="jobs of other kinds count too")

    @property
    def meaning(self) -> Unique:
        """What it says.

        Raises:
            InvalidInput: River would refuse it.
        """
        return Unique(**dict(self))


class ScheduleSettings(Section):
    """A job that is enqueued by the clock: either cron or every says when."""

    task_type: Kind = Field(description="kind of the job")
    cron: Cron | None = Field(None, description="five fields, @daily and its kin, or @every 90s")
    every: Duration | None = Field(
        None, validate_default=True, ge=timedelta(seconds=1), description="interval; either this or cron"
    )
    timezone: TimeZone = Field("UTC", description="zone of the cron fields")
    task_params: JsonObject = Field({}, description="arguments of the job")
    queue: QueueName = Field("default", description="queue of the job")
    priority: WholeNumber | None = Field(None, ge=1, le=9, description="by default the queue's")
    max_attempts: WholeNumber | None = Field(None, ge=1, le=32_767, description="by default river.max_attempts")
    tags: list[Tag] = Field([], description="tags of the job")
    missed: Literal["latest", "skip", "all"] = Field("latest", description="ticks that passed while nobody led")
    run_on_start: bool = Field(False, description="enqueue one at once too: when it is new, and when a leader begins")
    unique: ScheduleUniqueSettings = ScheduleUniqueSettings()

    @field_validator("unique")
    @classmethod
    def _is_rivers(cls, value: ScheduleUniqueSettings) -> ScheduleUniqueSettings:
        try:
            value.meaning  # noqa: B018 - looked at for what River would refuse
        except InvalidInput as error:
            raise ValueError(f"{error.field.removeprefix('unique.')} to be {error.allowed}") from error
        return value

    @field_validator("every")
    @classmethod
    def _exclude_cron(cls, value: timedelta | None, info: ValidationInfo) -> timedelta | None:
        if "cron" in info.data and (value is None) == (info.data["cron"] is None):
            raise ValueError("either cron or every, and not both")
        return value


class LogSettings(Section):
    """Logs on stdout and, when log_path is set, in daily files."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is written")
    format: Literal["auto", "text", "json"] = Field("auto", description="auto: text on a terminal, otherwise json")
    keep_days: WholeNumber = Field(14, ge=1, le=3650, description="older log files are removed")


class Settings(Section):
    """The whole configuration of one host."""

    server_id: ServerId = Field(
        default_factory=lambda: re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64] or "localhost",
        description="name of this host in the fleet; by default the host's name",
    )
    log_path: Path | None = Field(None, description="folder of executor.log, scheduler.log, admin.log, supervisor.log")
    log: LogSettings = LogSettings()
    database_url: DatabaseUrl | None = Field(
        None, description="postgres://user:password@host:port/database; instead of the postgresql keys for the address"
    )
    postgresql: PostgresqlSettings = PostgresqlSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    river: RiverSettings = RiverSettings()
    admin: AdminSettings = AdminSettings()
    handlers: HandlerSettings = HandlerSettings()
    schedules: dict[ScheduleName, ScheduleSettings] = Field({}, description="jobs that are enqueued by the clock")
    notifications: NotificationSettings = NotificationSettings()

    @property
    def database_configured(self) -> bool:
        """Whether a database was named; otherwise the embedded one is used."""
        return self.database_url is not None or bool(self.postgresql.model_fields_set & ADDRESS_KEYS)

    def dsn(self) -> str:
        """Return the configured database as a libpq connection string, with bounds on every network wait.

        It holds the password: it may be handed to psycopg and to nothing else.

        Raises:
            ConfigError: No database is configured.
        """
        if self.database_url is not None:
            return conninfo_from_url(self.database_url.get_secret_value())
        if not self.database_configured:
            raise ConfigError(["no database is configured; set database_url or the keys of postgresql"])
        given = self.postgresql
        return conninfo_from_parts(
            host=given.host,
            port=given.port,
            user=given.username,
            password=given.password.get_secret_value() if given.password else None,
            dbname=given.database,
            sslmode=given.ssl_mode,
            sslrootcert=str(given.ssl_root_cert) if given.ssl_root_cert else None,
        )
