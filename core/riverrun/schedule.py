"""A schedule: what it enqueues and when, and the one place where what somebody asks for is checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from riverrun.cron_grammar import check_zone, parse_expression
from riverrun.durations import format_duration
from riverrun.errors import Code, InvalidInput
from riverrun.job import JobState
from riverrun.json_input import check_args, check_metadata
from riverrun.members import RESERVED
from riverrun.names import (
    check_flag,
    check_kind,
    check_max_attempts,
    check_priority,
    check_queue,
    check_schedule_name,
    check_tags,
)
from riverrun.unique import Unique, check_unique

MISSED = ("latest", "skip", "all")
"""What happens to ticks that passed while nobody led: the newest is enqueued, none is, up to 100 are."""

_SHORTEST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule:
    """A checked schedule; its fields are the columns of ``riverrun_schedule``."""

    name: str
    kind: str
    args_text: str
    expression: str
    timezone: str
    queue: str
    priority: int | None
    max_attempts: int | None
    tags: tuple[str, ...]
    metadata_text: str
    missed: str
    run_on_start: bool
    unique: Unique | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(NewSchedule):
    """A schedule as it is in the database.

    Attributes:
        source: ``config`` when a configuration file says what it is, otherwise ``api``.
        paused_at: Since when it enqueues nothing.
        last_tick: The newest tick that was enqueued, or when older ones were left out, or when it was last changed or
            resumed.
        revision: Rises with every change; a sender may ask that nothing has changed since.
    """

    source: str
    paused_at: datetime | None
    last_tick: datetime | None
    revision: int
    created_at: datetime
    updated_at: datetime

    @property
    def since(self) -> datetime:
        """The moment after which its next tick lies."""
        return self.last_tick or self.created_at

    def overdue_since(self, now: datetime) -> datetime | None:
        """Return since when a tick is due that no leader has enqueued or left out.

        None when there is no such tick, while it is paused, and when its expression cannot be read here.
        """
        if self.paused_at is not None:
            return None
        try:
            due = parse_expression(self.expression, "expression", zone=self.timezone).next_after(self.since)
        except InvalidInput:
            return None  # a newer release wrote it, or somebody by hand
        return due if due <= now else None


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick that was enqueued, and how its job stands.

    Attributes:
        tick: The moment of the clock that it was for.
        job_id: Its job.
        state: The job's state; ``None``: a job with its unique key was there, or it has been deleted since.
        attempted_at: When the job last began to run.
        finalized_at: When it reached its last state.
    """

    tick: datetime
    job_id: int
    state: JobState | None
    attempted_at: datetime | None
    finalized_at: datetime | None


def new_schedule(  # noqa: PLR0913 - one argument for each thing somebody may say about a schedule
    name: object,
    *,
    kind: object,
    cron: object = None,
    every: timedelta | None = None,
    timezone: object = "UTC",
    args: object = "{}",
    queue: object = "default",
    priority: object = None,
    max_attempts: object = None,
    tags: object = (),
    metadata: object = None,
    missed: object = "latest",
    run_on_start: object = False,
    unique: object = None,
) -> NewSchedule:
    """Check everything about a schedule and return it.

    Args:
        name: What it is called.
        kind, queue, tags: Those of its jobs.
        cron: Five fields, ``@daily`` and its kin, or ``@every 90s``; either this or ``every``.
        every: Interval of at least a second, counted from 1970-01-01 UTC.
        timezone: Zone of the cron fields.
        args: Arguments of its jobs: a mapping or the JSON text of an object.
        priority: 1 (first) to 9; ``None`` takes the queue's.
        max_attempts: 1 to 32,767; ``None`` takes the configured number.
        metadata: Metadata of its jobs; keys that begin with ``river:`` and ``riverrun:`` are reserved.
        missed: ``latest``, ``skip`` or ``all``.
        run_on_start: Whether a job is enqueued at once as well: when the schedule is made, and when a leader begins.
        unique: When a tick enqueues nothing because such a job is there; a period is the one that the tick lies in.

    Raises:
        InvalidInput: Something is not allowed; names the field.
    """
    return NewSchedule(
        name=check_schedule_name(name, "name"),
        kind=check_kind(kind, "kind"),
        args_text=check_args(args, "args"),
        expression=_expression(cron, every, timezone),
        timezone=str(timezone),
        queue=check_queue(queue, "queue"),
        priority=None if priority is None else check_priority(priority, "priority"),
        max_attempts=None if max_attempts is None else check_max_attempts(max_attempts, "max_attempts"),
        tags=check_tags(tags, "tags"),
        metadata_text=_metadata({} if metadata is None else metadata),
        missed=_missed(missed),
        run_on_start=check_flag(run_on_start, "run_on_start"),
        unique=check_unique(unique, "unique"),
    )


def _missed(missed: object) -> str:
    if missed not in MISSED:
        raise InvalidInput("missed", missed, "latest, skip or all", code="unknown")
    return str(missed)


def _expression(cron: object, every: timedelta | None, timezone: object) -> str:
    """Return the expression as it is stored, once it has been read."""
    if (cron is None) == (every is None):
        code: Code = "required" if cron is None else "conflict"
        raise InvalidInput("cron", cron, "either cron or every, and not both", code=code)
    if every is not None and every < _SHORTEST:
        raise InvalidInput("every", format_duration(every), "a time of 1 second or more")
    field, text = ("cron", cron) if every is None else ("every", f"@every {format_duration(every)}")
    parse_expression(text, field, zone=check_zone(timezone, "timezone").key)
    return str(text)


def _metadata(metadata: object) -> str:
    text = check_metadata(metadata, "metadata")
    for name in json.loads(text):
        if name.startswith(RESERVED):
            raise InvalidInput(
                f"metadata.{name}", name, "a key that does not begin with river: or riverrun:", code="format"
            )
    return text
