"""What can be configured: every key, its type, its default and its meaning, once.

The keys of ``postgresql`` and ``river`` are those of the customer-facing quick start and keep their names. Durations
are written as ``"1h"``, ``"90s"`` or a number of seconds; ``-1`` means "for ever" where the description says so.
Defaults stand here and nowhere else; they are applied last, so that a lower source never hides a higher one.
"""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from riverrun.durations import parse_duration

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Retention = Annotated[timedelta | None, BeforeValidator(lambda value: parse_duration(value, none="-1"))]
"""How long finished jobs are kept; ``None``, written ``-1``, keeps them for ever."""


class Section(BaseModel):
    """A part of the configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PostgresqlSettings(Section):
    """How to reach PostgreSQL; ``database_url`` wins over the parts."""

    host: str | None = Field(None, description="host name, address, or folder of the unix socket")
    port: int = Field(5432, ge=1, le=65535)
    username: str = "postgres"
    password: SecretStr | None = None
    database: str = "river_queue"
    ssl_mode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    ssl_root_cert: Path | None = Field(None, description="certificates that verify-ca and verify-full trust")
    max_conns: int = Field(100, ge=4, description="connections that all processes of this host may open together")
    min_conns: int = Field(10, ge=0, description="connections that the admin process keeps open, at most max_conns")
    schema_name: str | None = Field(
        None, alias="schema", max_length=46, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="where River's tables are"
    )


class EmbeddedSettings(Section):
    """The PostgreSQL that ``queuectl start --dev`` brings along."""

    data_dir: Path | None = Field(None, description="where its data live; by default a folder of the user's own")


class RetentionSettings(Section):
    """How long jobs are kept after they were finalized; -1 keeps them for ever."""

    completed: Retention = timedelta(hours=24)
    cancelled: Retention = timedelta(hours=24)
    discarded: Retention = timedelta(days=7)


class QueueSettings(Section):
    """One queue that executors of this host work on."""

    max_workers: int | None = Field(None, ge=1, le=10_000, description="slots on this host; river.workers by default")
    priority: int = Field(1, ge=1, le=9, description="of a job that is enqueued here without one; 1 goes first")
    processes: int = Field(1, ge=1, le=64, description="executor processes that share the slots")


class RiverSettings(Section):
    """Executors, scheduler and queues."""

    enable: bool = Field(True, description="false: `queuectl start` says so and starts nothing")
    workers: int = Field(50, ge=1, le=10_000, description="slots of a queue that names no max_workers")
    poll_only: bool = Field(False, description="never LISTEN; for connections through a transaction pooler")
    insert_only: bool = Field(False, description="accept jobs, run none: only the admin process is started")
    rescue_stuck_jobs_after: Duration = timedelta(hours=1)
    max_attempts: int = Field(25, ge=1, le=32_767, description="of a job that is enqueued without one")
    job_timeout: Retention = Field(timedelta(minutes=1), description="of a handler that names none; -1: no limit")
    poll_interval: Duration = Field(timedelta(seconds=1), description="how often an idle executor looks for jobs")
    leadership: Literal["lead", "follow", "off"] = Field(
        "lead", description="River's own leader row: hold it, leave it to a River client, or ignore it"
    )
    shutdown_wait: Duration = Field(timedelta(seconds=20), description="how long running jobs may finish at a stop")
    shutdown_cancel: Duration = Field(timedelta(seconds=5), description="how long cancelled jobs may clean up then")
    retention: RetentionSettings = RetentionSettings()
    queues: dict[str, QueueSettings] = Field({"default": QueueSettings()}, min_length=1)


class AdminSettings(Section):
    """The HTTP API, the dashboard and /metrics."""

    host: str = "127.0.0.1"
    port: int = Field(9999, ge=0, le=65535, description="0 takes a free port")
    tokens: list[SecretStr] = Field([], description="bearer tokens; required unless the host is a loopback address")
    allowed_hosts: list[str] = Field([], description="names that a request's Host header may carry besides loopback")


class HandlerSettings(Section):
    """Where handlers are found: modules only, never a path that came over the wire."""

    modules: list[str] = Field([], description="imported by every executor; their @handler functions are registered")
    path: list[Path] = Field([], description="folders put before the import path, relative to the configuration file")


class ScheduleSettings(Section):
    """A job that is enqueued by the clock."""

    task_type: str = Field(description="kind of the job")
    cron: str | None = Field(None, description="five fields, @daily and its kin, or @every 90s")
    every: Duration | None = Field(None, description="interval; either this or cron")
    timezone: str = Field("UTC", description="zone of the cron fields")
    task_params: dict[str, object] = Field({}, description="arguments of the job")
    queue: str = "default"
    priority: int | None = Field(None, ge=1, le=9)
    max_attempts: int | None = Field(None, ge=1, le=32_767)
    tags: list[str] = []
    missed: Literal["latest", "skip", "all"] = Field("latest", description="ticks that passed while nobody led")


class LogSettings(Section):
    """Logs on stdout and, when log_path is set, in daily files."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = Field("auto", description="auto: text on a terminal, otherwise json")
    keep_days: int = Field(14, ge=1, le=3650, description="older log files are removed")


class Settings(Section):
    """The whole configuration of one host."""

    server_id: str = Field(default_factory=socket.gethostname, pattern=r"^[A-Za-z0-9._-]{1,64}$")
    log_path: Path | None = Field(None, description="folder of executor.log, scheduler.log and admin.log")
    log: LogSettings = LogSettings()
    database_url: SecretStr | None = Field(None, description="postgres://user:password@host/database")
    postgresql: PostgresqlSettings = PostgresqlSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    river: RiverSettings = RiverSettings()
    admin: AdminSettings = AdminSettings()
    handlers: HandlerSettings = HandlerSettings()
    schedules: dict[str, ScheduleSettings] = {}
