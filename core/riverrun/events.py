"""What happens to jobs and queues, as those see it who subscribe, and as it travels in notifications.

executor ── ended attempts of the last second, while somebody subscribes ──▶ NOTIFY riverrun_event ──▶ subscriber
whoever pauses a queue, River's other clients too ──▶ NOTIFY river_control ──▶ subscriber
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from riverrun.errors import InvalidInput
from riverrun.job import JobState

EVENT_TOPIC = "riverrun_event"
CONTROL_TOPIC = "river_control"

MAX_PAYLOAD_BYTES = 7_900
"""PostgreSQL takes less than 8,000."""


class EventKind(StrEnum):
    """What one may subscribe to; a job that failed is retryable, available or discarded now."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SNOOZED = "snoozed"
    INTERRUPTED = "interrupted"
    QUEUE_PAUSED = "queue_paused"
    QUEUE_RESUMED = "queue_resumed"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; of a queue only ``queue`` is said, and of `MISSED` nothing.

    Attributes:
        kind: What happened.
        queue: The queue; ``*`` when all were paused or resumed.
        job_id: The job whose attempt ended.
        job_kind: Its kind.
        attempt: The attempt that ended.
        state: The state in which it left the job.
        run_seconds: How long it ran.
        wait_seconds: How long the job was due before that.
    """

    kind: EventKind
    queue: str = ""
    job_id: int = 0
    job_kind: str = ""
    attempt: int = 0
    state: JobState | None = None
    run_seconds: float = 0.0
    wait_seconds: float = 0.0


class News:
    """Tells what is new about queues: River's clients announce a pause again that was there already."""

    def __init__(self) -> None:
        self._told: dict[str, EventKind] = {}

    def has(self, event: Event) -> bool:
        """Return whether an event says something new, and remember it."""
        if event.kind not in {EventKind.QUEUE_PAUSED, EventKind.QUEUE_RESUMED}:
            return True
        if event.queue == "*":
            known, self._told = self._told, {"*": event.kind}
            return "*" not in known or set(known.values()) != {event.kind}
        known_kind = self._told.get(event.queue, self._told.get("*"))
        self._told[event.queue] = event.kind
        return known_kind != event.kind


def checked_kinds(kinds: Iterable[str]) -> frozenset[EventKind]:
    """Return ``kinds``, all without any; `MISSED` always belongs to them.

    Raises:
        InvalidInput: One of them is not known.
    """
    if isinstance(kinds, str):
        raise InvalidInput("kinds", kinds, "a list of kinds of events", code="type")
    wanted = []
    for kind in kinds:
        try:
            wanted.append(EventKind(kind))
        except ValueError as error:
            raise InvalidInput("kinds", kind, f"any of {', '.join(EventKind)}", code="unknown") from error
    return frozenset(wanted or EventKind) | {EventKind.MISSED}


def payloads(events: Iterable[Event]) -> list[str]:
    """Return events of jobs as the payloads of as few notifications as can hold them."""
    lines = [
        json.dumps([event.kind, event.queue, event.job_id, event.job_kind, event.attempt, event.state,
                    round(event.run_seconds, 6), round(event.wait_seconds, 6)], separators=(",", ":"))
        for event in events
    ]  # fmt: skip
    found: list[str] = []
    held: list[str] = []
    size = 0
    for line in lines:
        if held and len("[]") + size + len(line) > MAX_PAYLOAD_BYTES:
            found.append(f"[{','.join(held)}]")
            held, size = [], 0
        held.append(line)
        size += len(line) + len(",")
    return [*found, f"[{','.join(held)}]"] if held else found


def understood(topic: str, payload: str) -> Iterator[Event]:
    """Give the events in a notification; none for one that is not understood, which a later release may have sent."""
    try:
        value: Any = json.loads(payload)
        if topic == CONTROL_TOPIC:
            kind = {"pause": EventKind.QUEUE_PAUSED, "resume": EventKind.QUEUE_RESUMED}.get(value.get("action"))
            events = [] if kind is None else [Event(kind, str(value["queue"]))]
        else:
            events = [_event(line) for line in value]
    except (ValueError, TypeError, KeyError, AttributeError):
        return
    yield from events


def _event(line: list[Any]) -> Event:
    kind, queue, job_id, job_kind, attempt, state, run, wait = line
    return Event(EventKind(kind), queue, job_id, job_kind, attempt, JobState(state) if state else None, run, wait)
