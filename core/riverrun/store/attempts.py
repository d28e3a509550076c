"""What an executor asks of the database: claim, finalize, record, release, obey.

Every write of an attempt carries its fence: id, attempt number, start of the attempt and the incarnation that claimed
it. A job that was rescued, and runs again elsewhere, matches no write of its earlier attempt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Protocol

from riverrun.claimed_job import ClaimedJob
from riverrun.database.statements import Query, Steps
from riverrun.errors import StaleAttempt
from riverrun.store import river_leader
from riverrun.store.arrays import int_array
from riverrun.transition import Finalization

# What the statements below were written for, whatever a table that was just filled is believed to hold: from the ids
# to the rows through the primary key. Left alone, PostgreSQL plans the first five runs of a statement for the very
# arrays it is given, and reads whole indexes for them.
PLANS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Settings of the sessions that claim and finalize."""

NO_LIMITS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Directives:
    """What may have changed since an executor last asked.

    Attributes:
        max_workers: Slots of the queue on this server set at run time; ``None`` means as configured.
        registry: Changes whenever a handler is registered, changed or deleted.
        cancelled: Running jobs whose cancellation was asked for.
    """

    max_workers: int | None
    registry: int
    cancelled: tuple[int, ...]


class Fenced(Protocol):
    """What tells one attempt of a job from all others, beside the executor that claimed it."""

    @property
    def id(self) -> int: ...

    @property
    def attempt(self) -> int: ...

    @property
    def fence_us(self) -> int: ...


def claim(  # noqa: PLR0913 - what one statement takes
    queue: str,
    *,
    slots: int,
    incarnation: str,
    floors_us: Sequence[int],
    floor_ids: Sequence[int],
    kinds_left_out: Collection[str] = (),
    rooms: Mapping[str, int] = NO_LIMITS,
) -> Steps[list[ClaimedJob]]:
    """Mark up to ``slots`` available jobs of ``queue`` as running and return them.

    Picked by priority, then ``scheduled_at``, then id; the list has no promised order. A paused queue gives none. The
    attempt is counted here.

    Args:
        queue: The queue.
        slots: Jobs the caller can start at once, 1 or more.
        incarnation: The executor, as it will stand in ``attempted_by``.
        floors_us: For each priority from 1 to 9, the ``scheduled_at`` below which not to look, in microseconds.
        floor_ids: For each priority, the id that goes with it.
        kinds_left_out: Kinds not to claim now.
        rooms: Kinds of which no more than so many may be claimed now, 1 or more.
    """
    params: dict[str, object] = {
        "queue": queue,
        "slots": slots,
        "incarnation": incarnation,
        "floors_us": int_array(floors_us),
        "floor_ids": int_array(floor_ids),
        "kinds_left_out": list(kinds_left_out),
    }
    if rooms:
        rows = yield Query("job_claim_limited", {**params, "kinds": list(rooms), "rooms": int_array(rooms.values())})
    else:
        rows = yield Query("job_claim", params)
    return [ClaimedJob(row, queue) for row in rows]


def claim_isolated(
    queue: str, *, slots: int, incarnation: str, kinds_left_out: Collection[str] = (), **_: object
) -> Steps[list[ClaimedJob]]:
    """Claim jobs that crashed before and may run only where no other job runs; arguments as in `claim`."""
    rows = yield Query(
        "job_claim_isolated",
        {"queue": queue, "slots": slots, "incarnation": incarnation, "kinds_left_out": list(kinds_left_out)},
    )
    return [ClaimedJob(row, queue) for row in rows]


def claim_one(kind: str, *, job_id: int | None, incarnation: str) -> Steps[ClaimedJob | None]:
    """Mark the oldest job of ``kind`` that waits, due or not, as running; ``None`` when there is none. For tests."""
    rows = yield Query("job_claim_one", {"kind": kind, "id": job_id, "incarnation": incarnation})
    return ClaimedJob(rows[0][1:], rows[0][0]) if rows else None


def complete(jobs: Sequence[ClaimedJob], incarnation: str) -> Steps[set[int]]:
    """Finalize attempts that succeeded and leave nothing but that; return the ids of the jobs that were written."""
    rows = yield Query("job_complete", {**_fence(jobs), "incarnation": incarnation})
    return {row[0] for row in rows}


def finalize(endings: Sequence[tuple[Fenced, Finalization]], incarnation: str) -> Steps[dict[int, str]]:
    """Write how attempts ended; return the state of every job that was written, by id."""
    finals = [final for _, final in endings]
    rows = yield Query(
        "job_finalize",
        {
            **_wanted(endings),
            "errors": [final.error_json for final in finals],
            "delays": [None if final.scheduled_in is None else final.scheduled_in.total_seconds() for final in finals],
            "patches": [final.metadata_patch_json for final in finals],
            "incarnation": incarnation,
        },
    )
    return dict(rows)


def own_end(endings: Sequence[tuple[ClaimedJob, Finalization]], incarnation: str) -> Steps[dict[int, str]]:
    """Return what became of jobs that `complete` or `finalize` did not write, by id.

    ``running``: still this attempt's, but locked just now. Another state: ended by this attempt before, in a statement
    whose answer was lost or in the handler's own transaction. Missing: taken from this attempt.
    """
    jobs = [job for job, _ in endings]
    rows = yield Query("job_own_end", {**_wanted(endings), **_starts(jobs), "incarnation": incarnation})
    _take_over(jobs, {row[0]: row[2] for row in rows})
    return {row[0]: row[1] for row in rows}


def leave(patches: Sequence[tuple[ClaimedJob, str]], incarnation: str) -> Steps[set[int]]:
    """Merge metadata (JSON text) into jobs that somebody else finalized while these attempts ran.

    Return the ids of those that are still to be written, because somebody holds their rows just now.
    """
    rows = yield Query("job_leave", _patches(patches, incarnation))
    return {row[0] for row in rows}


def refresh(jobs: Sequence[ClaimedJob], incarnation: str, *, older_than: timedelta) -> Steps[None]:
    """Make jobs whose row says that they have run for ``older_than`` look young, while a client of River leads."""
    rows = yield Query(
        "job_refresh",
        {
            **_fence(jobs),
            **_starts(jobs),
            "incarnation": incarnation,
            "family": river_leader.FAMILY,
            "older_than": older_than.total_seconds(),
        },
    )
    _take_over(jobs, dict(rows))


def reclaim(jobs: Sequence[ClaimedJob], incarnation: str) -> Steps[None]:
    """Mark jobs as running again, with the same attempt and start, whose claim a crash of the server has undone."""
    yield Query("job_reclaim", {**_fence(jobs), "incarnation": incarnation})


def taken(jobs: Sequence[ClaimedJob], incarnation: str) -> Steps[list[ClaimedJob]]:
    """Return those of ``jobs`` that are not this attempt's any more."""
    rows = yield Query(
        "job_own_end",
        {
            **_fence(jobs),
            **_starts(jobs),
            "states": ["running"] * len(jobs),
            "given_back": [False] * len(jobs),
            "incarnation": incarnation,
        },
    )
    kept = {row[0]: row[2] for row in rows}
    _take_over(jobs, kept)
    return [job for job in jobs if job.id not in kept]


def complete_in(job: ClaimedJob, incarnation: str, patch: str | None) -> Steps[None]:
    """Complete a job in the caller's transaction and merge ``patch`` (JSON text) into its metadata.

    Raises:
        StaleAttempt: The job no longer belongs to this attempt.
    """
    yield from _write_in("job_complete_in", job, incarnation, patch)


def save_in(job: ClaimedJob, incarnation: str, patch: str) -> Steps[None]:
    """Merge ``patch`` (JSON text) into the metadata of a job that goes on, in the caller's transaction.

    Raises:
        StaleAttempt: The job no longer belongs to this attempt.
    """
    yield from _write_in("job_save_in", job, incarnation, patch)


def note(patches: Sequence[tuple[ClaimedJob, str]], incarnation: str) -> Steps[set[int]]:
    """Merge metadata (JSON text) into running jobs; return the ids that still run under this incarnation."""
    rows = yield Query("job_progress", _patches(patches, incarnation))
    return {row[0] for row in rows}


def release_unknown(queue: str, *, incarnation: str, known: Collection[int], older_than: timedelta) -> Steps[list[int]]:
    """Give back jobs marked as run by ``incarnation`` that it does not hold; return their ids.

    They come from claims whose answer was lost with the connection. Nobody started them, so the attempt does not count.

    Args:
        queue: The queue it works on.
        incarnation: The executor.
        known: The ids it holds, running or not written yet.
        older_than: Age of a claim from which it cannot still be on its way to the executor.
    """
    rows = yield Query(
        "job_release_unknown",
        {
            "queue": queue,
            "incarnation": incarnation,
            "known": int_array(known),
            "older_than": older_than.total_seconds(),
        },
    )
    return [row[0] for row in rows]


def directives(queue: str, *, server_id: str, running: Collection[int]) -> Steps[Directives]:
    """Return what an executor of ``queue`` must obey now; ``running`` are the ids it executes."""
    (row,) = yield Query("executor_directives", {"queue": queue, "server_id": server_id, "running": int_array(running)})
    return Directives(max_workers=row[0], registry=row[1], cancelled=tuple(row[2]))


def _write_in(statement: str, job: ClaimedJob, incarnation: str, patch: str | None) -> Steps[None]:
    fence = {"id": job.id, "attempt": job.attempt, "attempted_us": job.fence_us, "started_us": job.attempted_us}
    rows = yield Query(statement, {**fence, "incarnation": incarnation, "patch": patch})
    if not rows:
        raise StaleAttempt(job.id, job.attempt)


def _wanted(endings: Sequence[tuple[Fenced, Finalization]]) -> dict[str, object]:
    return {
        **_fence([job for job, _ in endings]),
        "states": [str(final.state) for _, final in endings],
        "given_back": [final.attempt < job.attempt for job, final in endings],
    }


def _fence(jobs: Sequence[Fenced]) -> dict[str, object]:
    return {
        "ids": int_array([job.id for job in jobs]),
        "attempts": int_array([job.attempt for job in jobs]),
        "attempted_us": int_array([job.fence_us for job in jobs]),
    }


def _starts(jobs: Sequence[ClaimedJob]) -> dict[str, object]:
    return {"started_us": int_array([job.attempted_us for job in jobs])}


def _patches(patches: Sequence[tuple[ClaimedJob, str]], incarnation: str) -> dict[str, object]:
    return {
        **_fence([job for job, _ in patches]),
        "patches": [patch for _, patch in patches],
        "incarnation": incarnation,
    }


def _take_over(jobs: Sequence[ClaimedJob], rows: Mapping[int, int]) -> None:
    """Let each attempt know what its row says now, so that its next write fits."""
    for job in jobs:
        if rows.get(job.id, job.attempted_us) != job.attempted_us:
            job.refreshed_us = rows[job.id]
