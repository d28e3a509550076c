"""How subscribers and executors find each other in the database, and what passes between them."""

from __future__ import annotations

from collections.abc import Sequence

from riverrun.database.statements import Query, Steps
from riverrun.events import Event, payloads


def subscribe() -> Steps[str]:
    """Let executors know, for as long as this session lives, that somebody subscribes; return the schema of the tables.

    To be run on the connection that listens.
    """
    (row,) = yield Query("event_subscribe", {})
    return str(row[0])


def wanted() -> Steps[bool]:
    """Return whether somebody subscribes, and the queue of notifications has room."""
    (row,) = yield Query("event_wanted", {})
    return bool(row[0])


def tell(events: Sequence[Event]) -> Steps[None]:
    """Tell subscribers of events; they hear of them in this order."""
    yield Query("event_tell", {"payloads": payloads(events)})
