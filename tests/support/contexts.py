"""What a process of a role is given, for tests that run it within their own event loop."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from riverrun.pipe import ChildPipe
from riverrun.process import new_incarnation
from riverrun.role import RoleContext
from riverrun.settings.schema import Settings

QUICK = {
    "poll_interval": timedelta(milliseconds=100),
    "shutdown_wait": timedelta(seconds=2),
    "shutdown_cancel": timedelta(seconds=1),
}


def settings_for(
    dsn: str,
    *,
    server_id: str = "test-host",
    schema: str | None = None,
    schedules: Mapping[str, Mapping[str, object]] | None = None,
    **river: Any,
) -> Settings:
    """Return a configuration that works on ``dsn`` with the tests' handlers; ``river`` has keys of that section."""
    parts = conninfo_to_dict(dsn)
    address = {"host": parts["host"], "port": int(parts["port"] or 5432)}
    return Settings.model_validate(
        {
            "server_id": server_id,
            "postgresql": {**address, "username": parts["user"], "database": parts["dbname"], "schema": schema},
            "river": {**QUICK, **river},
            "handlers": {"modules": ["support.handlers"]},
            "schedules": schedules or {},
        }
    )


def context_for(role: str, settings: Settings, *, queue: str | None = None, slots: int | None = None) -> RoleContext:
    """Return the context of a process that has no supervisor."""
    return RoleContext(
        role=role,
        settings=settings,
        config_path=None,
        queue=queue,
        slots=slots,
        incarnation=new_incarnation(settings.server_id),
        pipe=ChildPipe(None),
    )
