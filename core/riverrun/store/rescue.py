"""Takes running jobs back from executors that are gone.

One statement rescues, whoever asks: the leader, for executors whose lease ran out, or a supervisor that has seen its
child die. Each job is named by its fence (id, attempt, start and executor of the attempt), so that an attempt that
finishes in the same moment is left as it is. The retry delay is River's, n⁴ seconds, with n counting the times the
job was taken back; for jobs of River's own clients it counts all errors, as River does.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from riverrun.database.statements import Query, Row, Steps
from riverrun.retry import next_retry_delay
from riverrun.store import minutes


@dataclass(frozen=True, slots=True)
class LostJob:
    """A running job that nobody runs any more, by its fence.

    Attributes:
        attempted_us: Start of the attempt in microseconds since 1970.
        incarnation: Last element of ``attempted_by``.
        errors: Errors before this attempt.
        rescues: How often it was taken back before.
        reason: ``expired`` or ``missing`` (the executor's lease), ``stuck`` (another River client's job ran too long),
            or ``dead`` (its supervisor saw the executor end).
    """

    id: int
    attempt: int
    attempted_us: int | None
    incarnation: str | None
    errors: int
    rescues: int
    reason: str

    @property
    def setbacks(self) -> int:
        """What the retry delay grows with: a crash is not the job's fault, unless it happens again and again."""
        return self.errors if self.reason == "stuck" else self.rescues


@dataclass(frozen=True, slots=True)
class RescuedJob:
    """A job that was taken back: ``retryable``, or ended as ``discarded`` or ``cancelled``."""

    id: int
    attempt: int
    state: str
    queue: str
    kind: str


def missing_executors() -> Steps[set[str]]:
    """Return executors of ours that have running jobs but no lease."""
    rows = yield Query("executor_missing")
    return {row[0] for row in rows}


def lost(
    *, missing: Collection[str], stuck_after: timedelta | None, after: int = 0, batch: int = 1_000
) -> Steps[list[LostJob]]:
    """Return up to ``batch`` running jobs that nobody runs any more, in the order of their ids.

    Args:
        missing: Executors of ours that have had no lease for too long.
        stuck_after: How long a job of another River client may run, ``None`` for ever; ours may run while their
            executor's lease lasts.
        after: The last id of the page before.
        batch: Size of the page.
    """
    rows = yield Query(
        "job_lost",
        {
            "missing": list(missing),
            "stuck_seconds": None if stuck_after is None else stuck_after.total_seconds(),
            "after": after,
            "batch": batch,
        },
    )
    return [_lost(row) for row in rows]


def running_of(incarnation: str) -> Steps[list[LostJob]]:
    """Return the running jobs of one executor."""
    rows = yield Query("job_running_of", {"incarnation": incarnation})
    return [_lost(row) for row in rows]


def rescue(
    jobs: Sequence[LostJob], messages: Mapping[str, str], *, generation: int | None = None
) -> Steps[list[RescuedJob]]:
    """Take ``jobs`` back and return those that were; one that is missing has finished or is locked just now.

    Args:
        jobs: The jobs.
        messages: Text of the error that each gets, by reason.
        generation: The leader's term; ``None`` for a supervisor.
    """
    rng = random.Random()  # noqa: S311 - spreads load, guards nothing
    rows = yield Query(
        "job_rescue",
        {
            "ids": [job.id for job in jobs],
            "attempts": [job.attempt for job in jobs],
            "attempted_us": [job.attempted_us for job in jobs],
            "incarnations": [job.incarnation for job in jobs],
            "delays": [next_retry_delay(job.setbacks, rng).total_seconds() for job in jobs],
            "messages": [messages[job.reason] for job in jobs],
            "generation": generation,
        },
    )
    rescued = [RescuedJob(*row) for row in rows]
    if rescued:
        yield from minutes.add(_figures(rescued))
    return rescued


def expire(gone: Collection[int], *, generation: int) -> Steps[list[str]]:
    """End the leases of executors whose host has died, judged by its lock and its last heartbeat; return their names.

    Args:
        gone: Keys of hosts' locks that were held and are free.
        generation: The leader's term.
    """
    rows = yield Query("executor_expire", {"gone": list(gone), "generation": generation})
    return [row[0] for row in rows]


def forget_expired(generation: int) -> Steps[list[str]]:
    """Forget executors whose lease ran out and whose jobs were all rescued; return their names."""
    rows = yield Query("executor_forget", {"generation": generation})
    return [row[0] for row in rows]


def _figures(rescued: Sequence[RescuedJob]) -> dict[tuple[str, str], minutes.Figures]:
    """Return how many jobs were rescued by queue and kind; how long their attempts ran is not known."""
    figures: dict[tuple[str, str], minutes.Figures] = {}
    for job in rescued:
        figures.setdefault((job.queue, job.kind), minutes.Figures()).outcomes["rescued"] += 1
    return figures


def _lost(row: Row) -> LostJob:
    return LostJob(*row)
