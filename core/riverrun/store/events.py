"""How subscribers and executors find each other in the database, and what passes between them."""

from __future__ import annotations

from collections.abc import Sequence

from riverrun.database.statements import Query, Steps
from riverrun.events import Event, payloads


def place() -> Steps[str]:
    """Return the schema of the tables, whose notifications are to be heard."""
    (row,) = yield Query("event_place", {})
    return str(row[0])


def subscribe() -> Steps[None]:
    """Let executors know, for as long as this session lives, that somebody subscribes.

    To be run on the connection that listens, once it does: whoever sees the subscription can be heard.
    """
    yield Query("event_subscribe", {})


def wanted() -> Steps[bool]:
    """Return whether somebody subscribes, and the queue of notifications has room."""
    (row,) = yield Query("event_wanted", {})
    return bool(row[0])


def tell(events: Sequence[Event]) -> Steps[None]:
    """Tell subscribers of events; they hear of them in this order."""
    yield Query("event_tell", {"payloads": payloads(events)})
