"""Count finished attempts, for the metrics of this process and for the figures by minute in the database."""

from __future__ import annotations

import logging
from typing import NamedTuple

from prometheus_client import Counter

from riverrun.database.statements import Steps
from riverrun.job_log import job_fields
from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Interrupted, Snoozed
from riverrun.store import minutes
from riverrun.telemetry import metrics
from riverrun.telemetry.distribution import Series
from riverrun_executor.ending import Ending

log = logging.getLogger(__name__)

EVENTS = {
    "completed": (logging.DEBUG, "job_completed"),
    "retried": (logging.INFO, "job_retried"),
    "snoozed": (logging.INFO, "job_snoozed"),
    "discarded": (logging.WARNING, "job_discarded"),
    "cancelled": (logging.INFO, "job_cancelled"),
    "interrupted": (logging.INFO, "job_interrupted"),
}


class _Meters(NamedTuple):
    """Where the attempts of one queue, kind and outcome are counted."""

    attempts: Counter
    run: Series
    wait: Series


class Statistics:
    """Counts endings once they are in the database."""

    def __init__(self, server_id: str) -> None:
        self._server_id = server_id
        self._meters: dict[tuple[str, str, str], _Meters] = {}
        self._figures: dict[tuple[str, str], minutes.Figures] = {}
        self._unwritten: dict[tuple[str, str], minutes.Figures] = {}

    def count(self, ending: Ending, state: str) -> None:
        """Count one ending whose job reached ``state``."""
        job, seconds, wait = ending.job, ending.seconds, ending.job.wait_seconds
        outcome = outcome_of(ending, state)
        meters = self._meters.get((job.queue, job.kind, outcome)) or self._new_meters(job.queue, job.kind, outcome)
        meters.attempts.inc()
        meters.run.add(seconds)
        meters.wait.add(wait)
        figures = self._figures.get((job.queue, job.kind))
        if figures is None:
            figures = self._figures[job.queue, job.kind] = minutes.Figures()
        figures.count(outcome, run=seconds, wait=wait)
        if outcome != "completed" or log.isEnabledFor(logging.DEBUG):
            self._say(ending, outcome)

    def take(self) -> Steps[None] | None:
        """Return the write of the figures that no earlier one has written; ``None`` when there are none."""
        figures, self._figures = self._figures, {}
        for key, more in figures.items():
            self._unwritten.setdefault(key, minutes.Figures()).merge(more)
        return self._write() if self._unwritten else None

    def _write(self) -> Steps[None]:
        """Write; figures whose answer is lost with the connection are written again."""
        yield from minutes.add(self._unwritten)
        self._unwritten = {}

    def _new_meters(self, queue: str, kind: str, outcome: str) -> _Meters:
        meters = self._meters[queue, kind, outcome] = _Meters(
            metrics.job_attempts.labels(queue=queue, kind=kind, outcome=outcome),
            metrics.job_duration.of(queue, kind, outcome),
            metrics.job_wait.of(queue),
        )
        return meters

    def _say(self, ending: Ending, outcome: str) -> None:
        """Log the ending: failures so that they are seen, successes only for those who look closely."""
        level, event = EVENTS[outcome]
        if isinstance(ending.outcome, Failed | Discarded):
            error_type = ending.outcome.error_type
            metrics.job_errors.labels(queue=ending.job.queue, kind=ending.job.kind, error_type=error_type).inc()
        if log.isEnabledFor(level):
            fields = {**job_fields(ending.job, self._server_id), "duration": round(ending.seconds, 6)}
            log.log(level, event, extra=fields)


def outcome_of(ending: Ending, state: str) -> str:
    """Return the word for how an attempt ended; an end that the row knew of overrules what was wanted."""
    if state in {"cancelled", "completed"}:
        return state
    match ending.outcome:
        case Completed():
            return "completed"
        case Snoozed():
            return "snoozed"
        case Interrupted():
            return "interrupted"
        case Cancelled():
            return "cancelled"
        case Failed() | Discarded():
            return "discarded" if state == "discarded" else "retried"
