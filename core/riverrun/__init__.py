"""Riverrun: a job queue daemon for PostgreSQL on River's own tables.

The names below are all that producers and handlers need; each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from riverrun.client import AsyncClient as AsyncClient
    from riverrun.errors import (
        ConfigError as ConfigError,
        Conflict as Conflict,
        DatabaseUnavailable as DatabaseUnavailable,
        InvalidInput as InvalidInput,
        JobFinalized as JobFinalized,
        JobRunning as JobRunning,
        NotFound as NotFound,
        RiverrunError as RiverrunError,
        SchemaError as SchemaError,
        UniqueConflict as UniqueConflict,
    )
    from riverrun.job import Job as Job, JobState as JobState
    from riverrun.store.jobs import EnqueueResult as EnqueueResult
    from riverrun.sync_client import Client as Client
    from riverrun.unique import Unique as Unique

__version__ = "0.1.0"

_HOMES = {
    "riverrun.client": ("AsyncClient",),
    "riverrun.errors": (
        "ConfigError", "Conflict", "DatabaseUnavailable", "InvalidInput", "JobFinalized", "JobRunning", "NotFound",
        "RiverrunError", "SchemaError", "UniqueConflict",
    ),
    "riverrun.job": ("Job", "JobState"),
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
