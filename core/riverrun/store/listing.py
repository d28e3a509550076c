"""Page through jobs by keyset, so that page one hundred costs what page one costs and nothing is seen twice.

Each set of states has the order in which people look for such jobs, and the index that has it:

    completed, cancelled, discarded   finalized_at, latest first        job_list_finalized.sql
    scheduled, retryable              scheduled_at, soonest first       job_list_due.sql
    available · pending               as they would be claimed          job_list_waiting.sql
    running                           attempted_at, longest first       job_list_running.sql
    any other set                     id, newest first                  job_list_newest.sql

Whoever asks for ``newest`` or ``oldest`` gets every set by id, in either direction (job_list_oldest.sql).

No index knows kinds, tags or what is inside a job. So a statement looks at no more than `LOOKED_AT` jobs in their
order, gives those that match and, marked, the last one that it looked at; from there the next one goes on.
"""

from __future__ import annotations

import base64
import hashlib
import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, TypeAlias

import orjson

from riverrun.database.statements import Query, Row, Steps
from riverrun.errors import InvalidInput
from riverrun.job import Job, JobState
from riverrun.moments import EARLIEST, LATEST, from_microseconds, microseconds
from riverrun.store.rows import job_from

CAP = 10_000
"""Counts go no further; a larger one is told as "at least this many"."""

LEAST_CAP, ALL_CAPS = 100, 400_000
"""Where counting the queues of a fleet stops: at the least for each of them, and for all of them together."""

LARGEST_PAGE = 1_000

LOOKED_AT = 10_000
"""How many jobs one statement looks at: few enough for some milliseconds, wherever in the table they are."""

_FINAL = frozenset({JobState.CANCELLED, JobState.COMPLETED, JobState.DISCARDED})
_DUE = frozenset({JobState.RETRYABLE, JobState.SCHEDULED})
_WAITING = (frozenset({JobState.AVAILABLE}), frozenset({JobState.PENDING}))
_RUNNING = frozenset({JobState.RUNNING})
_LARGEST = 2**63 - 1

Order: TypeAlias = Literal["newest", "oldest"]
ORDERS: tuple[Order, ...] = ("newest", "oldest")


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list: of each non-empty field one value must match, and all fields must.

    Of ``tags_all`` every value must match. ``…_after`` is included, ``…_before`` is not; all have a zone. ``args`` and
    ``metadata`` are JSON text that a job's contain; ``error`` stands in the message of its last failure, in capitals or
    not; ``fingerprints`` are those of groups in `riverrun.store.failures`.
    """

    states: tuple[JobState, ...] = ()
    queues: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tags_all: tuple[str, ...] = ()
    priorities: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    scheduled_after: datetime | None = None
    scheduled_before: datetime | None = None
    finalized_after: datetime | None = None
    finalized_before: datetime | None = None
    args: str | None = None
    metadata: str | None = None
    error: str | None = None
    fingerprints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """A number of jobs: exact (``eq``), the least it is (``gte``), or an estimate (``approx``)."""

    value: int
    relation: Literal["eq", "gte", "approx"]


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs in their order, and where to go on; ``next_cursor`` is None when there is nothing beyond."""

    jobs: list[Job]
    next_cursor: str | None


def page(
    wanted: JobFilter,
    *,
    limit: int = 50,
    cursor: str | None = None,
    order: Order | None = None,
    seconds: float = math.inf,
) -> Steps[Page]:
    """Return up to ``limit`` jobs (1 to 1,000) after ``cursor``, which an earlier page of the same filter gave.

    Without an ``order`` they come in the order in which people look for jobs of such states. A search that is not done
    after ``seconds`` gives what it has found, maybe nothing, and a cursor to go on from.

    Raises:
        InvalidInput: ``limit`` is out of range, or ``cursor`` was not given by a page of this filter and order.
    """
    if not 1 <= limit <= LARGEST_PAGE:
        raise InvalidInput("limit", limit, f"a whole number from 1 to {LARGEST_PAGE}")
    statement = f"job_list_{order}" if order else _statement(wanted)
    after = _read_cursor(cursor, statement, wanted) if cursor is not None else _Position(None, None, None)
    until = time.monotonic() + seconds
    jobs: list[Job] = []
    while True:
        rows = yield Query(
            statement,
            {
                **filter_params(wanted),
                **_position_params(after, statement),
                "looked": _looked(statement, wanted),
                "rows": limit - len(jobs) + 1,
            },
        )
        found, last = _looked_at(rows)
        jobs += found
        if len(jobs) > limit:
            return Page(jobs[:limit], _write_cursor(jobs[limit - 1], statement, wanted))
        if last is None:
            return Page(jobs, None)
        if time.monotonic() >= until:
            return Page(jobs, _write_cursor(last, statement, wanted))
        after = _position(last, statement)


def _looked(statement: str, wanted: JobFilter) -> int:
    """Return how many jobs the statement may look at; it takes the finalized ones state by state."""
    return LOOKED_AT // len(wanted.states) if statement == "job_list_finalized" else LOOKED_AT


def _looked_at(rows: Sequence[Row]) -> tuple[list[Job], Job | None]:
    """Return the jobs that match, and the last one that was looked at if there may be more beyond it.

    Where several stretches were looked at, only what comes before the end of the first one to end is complete.
    """
    found = []
    for *columns, matches, last_looked in rows:
        job = job_from(columns)
        if matches:
            found.append(job)
        if last_looked:
            return found, job
    return found, None


def count(wanted: JobFilter) -> Steps[Count | None]:
    """Count what ``page`` would list, where that is cheap: by states and queues, or an estimate of everything.

    Returns None for other filters: no index bounds what counting would cost.
    """
    if wanted == JobFilter():
        rows = yield Query("job_estimate", {"table": "river_job"})
        return Count(max(0, rows[0][0]), "approx") if rows and rows[0][0] >= 0 else None
    if wanted != JobFilter(states=wanted.states, queues=wanted.queues):
        return None
    states = wanted.states or tuple(JobState)
    counts = yield from count_states(states, queues=wanted.queues or None)
    return summed(list(counts.values())) if len(counts) == len(states) else None


def count_states(
    states: Collection[JobState] = tuple(JobState), *, queues: Sequence[str] | None = None
) -> Steps[dict[JobState, Count]]:
    """Count the jobs of each of ``states``, in some queues together or in all, up to ``CAP``.

    A last state with more than that is left out when queues are named: their jobs stand among all others.
    """
    named = None if queues is None else list(dict.fromkeys(queues))
    if named == []:
        return dict.fromkeys(states, Count(0, "eq"))
    by_queue = [] if named is None else [state for state in states if state not in _FINAL]
    together = [str(state) for state in states if state not in by_queue]
    found: dict[JobState, Count] = {}
    if together:
        rows = yield Query("job_count", {"states": together, "queues": named, "cap": CAP + 1})
        # The columns stand in the order of the enum.
        found |= {state: capped(jobs) for state, jobs in zip(JobState, rows[0], strict=True) if jobs is not None}
    if named and by_queue:
        counts = yield from count_queues(named, by_queue)
        found |= {state: summed([each[state] for each in counts.values()]) for state in by_queue}
    return found


def count_queues(queues: Sequence[str], states: Sequence[JobState]) -> Steps[dict[str, dict[JobState, Count]]]:
    """Count the jobs of each of ``queues`` in each of ``states``, of which none is a last one, in one statement.

    A few queues are counted up to ``CAP``; of many, each less far, so that they cost no more together.
    """
    cap = max(LEAST_CAP, min(CAP, ALL_CAPS // max(1, len(queues) * len(states))))
    wanted = [str(state) for state in states]
    rows = yield Query("job_count_queues", {"queues": list(queues), "states": wanted, "cap": cap + 1})
    return {
        queue: {state: capped(jobs, cap) for state, jobs in zip(states, counts, strict=True)} for queue, counts in rows
    }


def capped(jobs: int, cap: int = CAP) -> Count:
    """Return a count that was made up to ``cap + 1``."""
    return Count(jobs, "eq") if jobs <= cap else Count(cap, "gte")


def summed(counts: Sequence[Count | None]) -> Count:
    """Return the sum of counts, up to ``CAP``; one that nobody could make leaves the sum the least it is."""
    total = sum(each.value for each in counts if each is not None)
    exact = all(each is not None and each.relation == "eq" for each in counts)
    return Count(min(total, CAP), "eq" if exact and total <= CAP else "gte")


def _statement(wanted: JobFilter) -> str:
    states = frozenset(wanted.states)
    if wanted.ids or not states:
        return "job_list_newest"
    if states <= _FINAL:
        return "job_list_finalized"
    if states <= _DUE:
        return "job_list_due"
    if states in _WAITING:
        return "job_list_waiting"
    return "job_list_running" if states == _RUNNING else "job_list_newest"


def filter_params(wanted: JobFilter) -> Mapping[str, object]:
    """Return the filter as the statements take it: NULL for a field that says nothing."""
    fields = {
        name: list(value) or None if isinstance(value, tuple) else value for name, value in asdict(wanted).items()
    }
    states = [str(state) for state in wanted.states]
    return {
        **fields,
        "states": states or None,
        "state": states[0] if states else None,
    }


@dataclass(frozen=True, slots=True)
class _Position:
    """Sort key of the last job of a page; ``at`` in microseconds since 1970, exact where floats are not."""

    priority: int | None
    at: int | None
    id: int | None


def _position_params(after: _Position, statement: str) -> Mapping[str, object]:
    at = None if after.at is None else from_microseconds(after.at)
    # The last of times stands for all beyond it as well: only from the very end on is nothing seen twice.
    last, end = (EARLIEST, "-infinity") if statement == "job_list_finalized" else (LATEST, "infinity")
    return {"after_priority": after.priority, "after_at": end if at == last else at, "after_id": after.id}


def _position(job: Job, statement: str) -> _Position:
    at = {
        "job_list_finalized": job.finalized_at,
        "job_list_running": job.attempted_at,
        "job_list_newest": None,
        "job_list_oldest": None,
    }.get(statement, job.scheduled_at)
    return _Position(job.priority, None if at is None else microseconds(at), job.id)


def _write_cursor(last: Job, statement: str, wanted: JobFilter) -> str:
    place = _position(last, statement)
    text = orjson.dumps([place.priority, place.at, place.id, _fingerprint(wanted, statement)])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _read_cursor(cursor: str, statement: str, wanted: JobFilter) -> _Position:
    refused = InvalidInput("cursor", cursor, "the next_cursor of a page with the same filter", code="cursor")
    try:
        text = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        priority, at, job_id, fingerprint = orjson.loads(text)
    except (ValueError, TypeError) as error:
        raise refused from error
    needs_time = statement not in {"job_list_newest", "job_list_oldest"}
    if (
        fingerprint != _fingerprint(wanted, statement)
        or not _within(priority, 1, 9)
        or not _within(job_id, 1, _LARGEST)
        # Beyond these years Python has no datetime.
        or (needs_time and not _within(at, -62_135_596_800_000_000, 253_402_300_799_000_000))
    ):
        raise refused
    return _Position(priority, at if needs_time else None, job_id)


def _within(value: object, lowest: int, highest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest


def _fingerprint(wanted: JobFilter, statement: str) -> str:
    """Return a short digest of the filter and the order; it tells a mistake, it keeps nobody out.

    Times are left out: "in the last hour" means another hour on the next page, and any position is good for it.
    """
    lasting = {name: value for name, value in asdict(wanted).items() if not name.endswith(("_after", "_before"))}
    return hashlib.sha256(orjson.dumps([lasting, statement])).hexdigest()[:12]
