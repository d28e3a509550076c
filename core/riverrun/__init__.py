"""Riverrun: a job queue daemon for PostgreSQL on River's own tables.

The names below are all that producers and handlers need; each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from riverrun.client import AsyncClient
    from riverrun.context import Context
    from riverrun.errors import (
        ConfigError,
        Conflict,
        DatabaseUnavailable,
        InvalidInput,
        JobFinalized,
        JobRunning,
        NotFound,
        ResourceUnavailable,
        RiverrunError,
        SchemaError,
        StaleAttempt,
        UniqueConflict,
    )
    from riverrun.events import Event, EventKind
    from riverrun.extensions import middleware, on_begin, on_end, on_error, on_event
    from riverrun.handlers import handler
    from riverrun.job import Job, JobState
    from riverrun.resources import resource
    from riverrun.signals import Cancel, Retry, Snooze
    from riverrun.store.jobs import EnqueueResult
    from riverrun.sync_client import Client
    from riverrun.unique import Unique

__all__ = [
    "AsyncClient",
    "Cancel",
    "Client",
    "ConfigError",
    "Conflict",
    "Context",
    "DatabaseUnavailable",
    "EnqueueResult",
    "Event",
    "EventKind",
    "InvalidInput",
    "Job",
    "JobFinalized",
    "JobRunning",
    "JobState",
    "NotFound",
    "ResourceUnavailable",
    "Retry",
    "RiverrunError",
    "SchemaError",
    "Snooze",
    "StaleAttempt",
    "Unique",
    "UniqueConflict",
    "handler",
    "middleware",
    "on_begin",
    "on_end",
    "on_error",
    "on_event",
    "resource",
]
__version__ = "0.1.0"

_HOMES = {
    "riverrun.client": ("AsyncClient",),
    "riverrun.context": ("Context",),
    "riverrun.errors": (
        "ConfigError", "Conflict", "DatabaseUnavailable", "InvalidInput", "JobFinalized", "JobRunning", "NotFound",
        "ResourceUnavailable", "RiverrunError", "SchemaError", "StaleAttempt", "UniqueConflict",
    ),
    "riverrun.extensions": ("middleware", "on_begin", "on_end", "on_error", "on_event"),
    "riverrun.events": ("Event", "EventKind"),
    "riverrun.handlers": ("handler",),
    "riverrun.job": ("Job", "JobState"),
    "riverrun.resources": ("resource",),
    "riverrun.signals": ("Cancel", "Retry", "Snooze"),
    "riverrun.store.jobs": ("EnqueueResult",),
    "riverrun.sync_client": ("Client",),
    "riverrun.unique": ("Unique",),
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for, so that ``import riverrun`` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'riverrun' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
