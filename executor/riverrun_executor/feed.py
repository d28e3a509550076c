"""Tell of ended attempts: functions of this process at once, subscribers elsewhere once a second if there are any."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from riverrun.database.statements import Steps
from riverrun.events import Event, EventKind
from riverrun.functions import named
from riverrun.job import JobState
from riverrun.store import events
from riverrun_executor.ending import Ending
from riverrun_executor.statistics import outcome_of

log = logging.getLogger(__name__)

MOST_TOLD = 10_000
"""Events of one second that are passed on; of more it is said only that they were missed."""

_KINDS = {"retried": EventKind.FAILED, "discarded": EventKind.FAILED}


class Feed:
    """Takes each ending once it is in the database.

    Args:
        listeners: Functions of this process.
    """

    def __init__(self, listeners: Sequence[Callable[[Event], object]]) -> None:
        self._listeners = listeners
        self._subscribed = False
        self._events: list[Event] = []
        self._lost = False

    @property
    def open(self) -> bool:
        """Whether anybody wants to hear; nothing is made of an ending otherwise."""
        return self._subscribed or bool(self._listeners)

    def subscribed(self, wanted: bool) -> None:
        """Note whether somebody subscribes elsewhere."""
        self._subscribed = wanted

    def add(self, ending: Ending, state: str) -> None:
        """Take the ending of an attempt that left its job in ``state``."""
        job, word = ending.job, outcome_of(ending, state)
        kind = _KINDS.get(word) or EventKind(word)
        event = Event(kind, job.queue, job.id, job.kind, job.attempt, JobState(state), ending.seconds, job.wait_seconds)
        if self._subscribed and len(self._events) <= MOST_TOLD:
            self._events.append(event)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                log.exception("hook_failed", extra={"function": named(listener), "job_id": job.id})

    def take(self) -> Steps[None] | None:
        """Return what tells subscribers of the events since the last call; ``None`` when there are none."""
        told, self._events = self._events, []
        if len(told) > MOST_TOLD:
            told[MOST_TOLD:] = [Event(EventKind.MISSED)]
        if self._lost and self._subscribed:
            told.insert(0, Event(EventKind.MISSED))
        return self._tell(told) if told else None

    def _tell(self, told: Sequence[Event]) -> Steps[None]:
        """Tell; without an answer nobody knows who has heard it, so later it is said only that there may be a gap."""
        self._lost = True
        yield from events.tell(told)
        self._lost = False
