"""A job as an attempt sees it: raw values on the way in, decoded only when a handler looks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from riverrun.job import decode_json, decode_members
from riverrun.moments import from_microseconds


class ClaimedJob:
    """One job that an executor has marked as running.

    Attributes:
        id: The row of ``river_job``.
        kind: Picks the handler.
        args_text: The arguments as the JSON text that PostgreSQL keeps.
        attempt: Number of this attempt, from 1.
        max_attempts: Attempts the job may use up.
        priority: 1 (first) to 9.
        metadata_text: The metadata as JSON text, as they were at the claim.
        tags: Tags in their order.
        error_count: How many errors were recorded before this attempt.
        attempted_us: Start of the attempt, in microseconds since 1970; with ``attempt`` the fence of every write.
        refreshed_us: What stands in its row instead since the job was made to look young; None for nearly every job.
        scheduled_us: When the job was due, in microseconds since 1970.
        created_us: When it was enqueued, in microseconds since 1970.
        queue: The queue it was claimed from.
    """

    id: int
    kind: str
    args_text: str
    attempt: int
    max_attempts: int
    priority: int
    metadata_text: str
    tags: Sequence[str]
    error_count: int
    attempted_us: int
    scheduled_us: int
    created_us: int
    refreshed_us: int | None = None

    def __init__(self, row: tuple[Any, ...], queue: str) -> None:
        (
            self.id,
            self.kind,
            self.args_text,
            self.attempt,
            self.max_attempts,
            self.priority,
            self.metadata_text,
            self.tags,
            self.error_count,
            self.attempted_us,
            self.scheduled_us,
            self.created_us,
        ) = row
        self.queue = queue

    @cached_property
    def args(self) -> dict[str, Any]:
        """The arguments; integers of any size stay exact."""
        return decode_json(self.args_text)  # type: ignore[no-any-return]  # every door admits objects only

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The metadata as they were at the claim."""
        return decode_members(self.metadata_text)

    @property
    def fence_us(self) -> int:
        """``attempted_at`` of the row as it is now, in microseconds since 1970: part of the fence of every write."""
        return self.refreshed_us or self.attempted_us

    @property
    def attempted_at(self) -> datetime:
        """When this attempt started, by the clock of the database."""
        return from_microseconds(self.attempted_us)

    @property
    def scheduled_at(self) -> datetime:
        """When the job was due."""
        return from_microseconds(self.scheduled_us)

    @property
    def created_at(self) -> datetime:
        """When the job was enqueued."""
        return from_microseconds(self.created_us)

    @property
    def wait_seconds(self) -> float:
        """How long the job was due before this attempt started."""
        return max(0.0, (self.attempted_us - self.scheduled_us) / 1_000_000)
