"""What a service says about an attempt after it has answered: written under the fence, seen by the executor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from riverrun.claimed_job import ClaimedJob
from riverrun.database.statements import Query, Steps
from riverrun.job import decode_members
from riverrun.moments import from_microseconds
from riverrun.outcome import Cancelled, Completed, Failed, Interrupted, Outcome, Snoozed
from riverrun.store import attempts
from riverrun.store.arrays import int_array
from riverrun.transition import CANCEL_PREFIX, Finalization
from riverrun.webhook import Fence


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt as a callback finds it, with all that is needed to decide what its end changes.

    Attributes:
        key: Of the callbacks of its handler; None when the handler is gone.
        current: The attempt that runs now, by its start, as tokens name it; None when none does.
        fence: What a write to its row must name; another than ``current`` once the job was made to look young.
        incarnation: The executor that holds it.
    """

    key: str | None
    current: Fence | None
    fence: Fence
    incarnation: str
    kind: str
    attempt: int
    max_attempts: int
    error_count: int
    started_us: int
    metadata: dict[str, Any]

    @property
    def attempted_at(self) -> datetime:
        """When the attempt started."""
        return from_microseconds(self.started_us)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the row of a waiting attempt says.

    Attributes:
        ended: The attempt does not run any more.
        state: The state of the job.
        given_back: The attempt was not counted.
        beats: How often the service has said something.
        error: The last error of a job that does not run.
    """

    ended: bool
    state: str
    given_back: bool
    beats: int
    error: str | None

    @property
    def outcome(self) -> Outcome:
        """How the attempt has ended, as far as its row tells."""
        error = self.error or ""
        match self.state:
            case "running":
                return Interrupted()  # another attempt runs
            case "completed":
                return Completed()
            case "cancelled":
                return Cancelled(error.removeprefix(CANCEL_PREFIX), error_type="callback")
            case _ if self.given_back:
                return Snoozed(timedelta())
            case _:
                return Failed(error, error_type="callback")


def find(job_id: int) -> Steps[Attempt | None]:
    """Return the present attempt of a job; None without such a job."""
    rows = yield Query("callback_find", {"id": job_id})
    if not rows:
        return None
    key, state, incarnation, kind, attempt, max_attempts, errors, attempted_us, text = rows[0]
    metadata, attempted_us = decode_members(text), attempted_us or 0
    started_us = _started_us(metadata, attempted_us)
    return Attempt(
        key=key,
        current=Fence(job_id, attempt, started_us) if state == "running" else None,
        fence=Fence(job_id, attempt, attempted_us),
        incarnation=incarnation or "",
        kind=kind,
        attempt=attempt,
        max_attempts=max_attempts,
        error_count=errors,
        started_us=started_us,
        metadata=metadata,
    )


def end(fence: Fence, incarnation: str, final: Finalization) -> Steps[bool]:
    """End an attempt; return whether it was still to be ended."""
    return fence.id in (yield from attempts.finalize([(fence, final)], incarnation))


def note(fence: Fence, incarnation: str, patch: str | None) -> Steps[bool]:
    """Count a sign of life, and merge ``patch`` (JSON text) into the metadata; return whether the attempt runs."""
    params = {"id": fence.id, "attempt": fence.attempt, "attempted_us": fence.fence_us}
    rows = yield Query("callback_note", {**params, "incarnation": incarnation, "patch": patch})
    return bool(rows)


def seen(jobs: Sequence[ClaimedJob]) -> Steps[dict[int, Seen]]:
    """Return what the rows of waiting attempts say, by job; one that was deleted is missing."""
    rows = yield Query(
        "callback_seen",
        {
            "ids": int_array(job.id for job in jobs),
            "attempts": int_array(job.attempt for job in jobs),
            "started_us": int_array(job.attempted_us for job in jobs),
        },
    )
    return {row[0]: Seen(*row[1:]) for row in rows}


def _started_us(metadata: Mapping[str, object], attempted_us: int) -> int:
    """Return when an attempt began: what ``job_refresh`` has noted, if that is about the attempt that runs now."""
    noted = metadata.get("riverrun:started_us")
    is_current = metadata.get("riverrun:refreshed_us") == attempted_us
    return noted if is_current and isinstance(noted, int) else attempted_us
