"""What is said about queues: who works on them, whether they are paused, how many slots they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from riverrun.database.statements import Query, Steps
from riverrun.errors import NotFound
from riverrun.job import decode_members
from riverrun.pauses import Pause

NOTHING_SAID = Pause()


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue that is known, as River keeps it.

    Attributes:
        name: What it is called.
        metadata: What somebody has said about it.
        created_at: When it became known.
        updated_at: When somebody last worked on it or changed it.
        paused_at: Since when nothing is claimed from it; None when it is not paused.
    """

    name: str
    metadata: Mapping[str, object]
    created_at: datetime
    updated_at: datetime
    paused_at: datetime | None


def get(queue: str) -> Steps[Queue]:
    """Return one queue.

    Raises:
        NotFound: No queue of that name is known.
    """
    rows = yield Query("queue_get", {"queue": queue})
    if not rows:
        raise NotFound("queue", queue)
    name, metadata, created_at, updated_at, paused_at = rows[0]
    return Queue(name, decode_members(metadata), created_at, updated_at, paused_at)


def describe(queue: str, metadata_text: str) -> Steps[Queue]:
    """Replace the metadata of ``queue`` by the JSON text of an object, tell its executors, and return it.

    Raises:
        NotFound: No queue of that name is known.
    """
    rows = yield Query("queue_describe", {"queue": queue, "metadata": metadata_text})
    if not rows:
        raise NotFound("queue", queue)
    return (yield from get(queue))


def announce(queue: str) -> Steps[None]:
    """Say that ``queue`` is being worked on, as River's own clients do every few minutes."""
    yield Query("queue_announce", {"queue": queue})


def pause(queue: str, said: Pause = NOTHING_SAID) -> Steps[list[str]]:
    """Pause ``queue``, or every known one with ``*``, and keep what is said about it; return the names.

    Raises:
        NotFound: No queue of that name is known.
    """
    return (yield from _switch("queue_pause", queue, **asdict(said)))


def resume(queue: str) -> Steps[list[str]]:
    """Let ``queue`` go on, or every known one with ``*``; return the names.

    Raises:
        NotFound: No queue of that name is known.
    """
    return (yield from _switch("queue_resume", queue))


def resume_due(generation: int) -> Steps[list[str]]:
    """Let those queues go on whose pause was to end by now; return their names."""
    rows = yield Query("queue_resume_due", {"generation": generation})
    return [row[0] for row in rows]


def scale(queue: str, max_workers: int | None, *, server_id: str = "") -> Steps[None]:
    """Set how many slots ``queue`` has on one server, or on all of them, in place of what is configured.

    Args:
        queue: A queue; it need not be known yet.
        max_workers: Slots from 1 to 10,000; ``None`` goes back to the configuration.
        server_id: The server; empty means all that have no setting of their own.
    """
    if max_workers is None:
        yield Query("queue_setting_reset", {"queue": queue, "server_id": server_id})
    else:
        yield Query("queue_setting_set", {"queue": queue, "server_id": server_id, "max_workers": max_workers})


def _switch(statement: str, queue: str, **said: object) -> Steps[list[str]]:
    rows = yield Query(statement, {"queue": queue, **said})
    if not rows and queue != "*":
        raise NotFound("queue", queue)
    return [row[0] for row in rows]
