"""Runs what a command changes together with the record of who changed it, in one transaction."""

from __future__ import annotations

import getpass
import socket
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from riverrun import Client
    from riverrun.database.statements import Steps

T = TypeVar("T")


def actor() -> str:
    """Return what the audit log calls whoever types here."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container may have users without a name
        user = "unknown"
    return f"shell:{user}@{socket.gethostname()}"[:255]


def write(client: Client, steps: Steps[T], action: str, target: str, **details: object) -> T:
    """Run ``steps`` and record the change; both are done, or neither."""
    return client.run(_recorded(steps, action, target, details), whole=True)


def _recorded(steps: Steps[T], action: str, target: str, details: dict[str, object]) -> Steps[T]:
    from riverrun.store import audit  # noqa: PLC0415 - the help of a command does not wait for the driver

    result = yield from steps
    yield from audit.add(audit.Change(actor(), action, target, {"result": "ok", **details}))
    return result
