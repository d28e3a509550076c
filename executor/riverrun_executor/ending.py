"""What the runner hands to the finalizer: a job, how its attempt ended, and what is to be kept of it."""

from __future__ import annotations

from dataclasses import dataclass

from riverrun.claimed_job import ClaimedJob
from riverrun.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one attempt.

    Attributes:
        job: The job, with the fence of the attempt.
        outcome: How it ended.
        notes_json: Metadata the handler left, as the JSON text of an object; ``None`` when it left none.
        seconds: From the claim's arrival to the end.
    """

    job: ClaimedJob
    outcome: Outcome
    notes_json: str | None
    seconds: float
