"""Deletes what has been kept long enough, in bounded steps: each returns how many rows went and whether more wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from riverrun.database.statements import Query, Steps


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What one step did: ``deleted`` rows; ``full`` when it stopped at its limit and more may wait."""

    deleted: int
    full: bool


def clean_jobs(generation: int, retention: Mapping[str, timedelta], *, batch: int) -> Steps[Cleaning]:
    """Delete finalized jobs, at most ``batch`` of each state, that are kept longer than ``retention`` says."""
    return (
        yield from _clean(
            "job_clean",
            generation,
            batch,
            states=list(retention),
            seconds=[kept.total_seconds() for kept in retention.values()],
        )
    )


def clean_queues(generation: int, *, batch: int) -> Steps[Cleaning]:
    """Delete rows of ``river_queue`` that nobody refreshed for a day and that are neither paused nor served."""
    return (yield from _clean("queue_clean", generation, batch))


def clean_servers(generation: int, *, batch: int) -> Steps[Cleaning]:
    """Forget hosts that were not heard of for a day."""
    return (yield from _clean("server_clean", generation, batch))


def clean_idempotency_keys(generation: int, *, batch: int) -> Steps[Cleaning]:
    """Forget stored answers to requests after a day."""
    return (yield from _clean("idempotency_key_clean", generation, batch))


def clean_ticks(generation: int, *, batch: int) -> Steps[Cleaning]:
    """Forget which ticks were enqueued after a week."""
    return (yield from _clean("schedule_tick_clean", generation, batch))


def clean_minutes(generation: int, *, batch: int) -> Steps[Cleaning]:
    """Forget minutes of statistics after three days, once they are summed up by the hour."""
    return (yield from _clean("minute_clean", generation, batch))


def clean_hours(generation: int, *, batch: int) -> Steps[Cleaning]:
    """Forget hours of statistics after 90 days."""
    return (yield from _clean("hour_clean", generation, batch))


def clean_tokens(generation: int, *, batch: int) -> Steps[Cleaning]:
    """Forget sessions a day after their end, and tokens 90 days after."""
    return (yield from _clean("token_clean", generation, batch))


def clean_bulk(generation: int, *, batch: int) -> Steps[Cleaning]:
    """Forget operations on many jobs 90 days after their end."""
    return (yield from _clean("bulk_clean", generation, batch))


def clean_notices(generation: int, *, batch: int) -> Steps[Cleaning]:
    """Forget what people were told a month ago."""
    return (yield from _clean("notice_clean", generation, batch))


def clean_audit(generation: int, kept: timedelta, *, batch: int) -> Steps[Cleaning]:
    """Forget who changed what when it was kept long enough."""
    return (yield from _clean("audit_clean", generation, batch, seconds=kept.total_seconds()))


def _clean(statement: str, generation: int, batch: int, **params: object) -> Steps[Cleaning]:
    (row,) = yield Query(statement, {"generation": generation, "batch": batch, **params})
    return Cleaning(*row)
