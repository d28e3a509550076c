"""Do one thing to all jobs that a filter names, batch by batch, whoever takes the next batch.

    begin ─▶ running ── step ── step ── … ─▶ done
                │                             aborted by hand, or failed again and again
                └─ position: the id that it has come to

A step is one transaction: it holds the operation, changes one batch of jobs, and notes how far it came. A process that
dies within one leaves nothing of it, and any other goes on. A step looks at a bounded stretch of ids, so its cost does
not depend on the filter. Jobs that were enqueued after the beginning are not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson

from riverrun import names
from riverrun.database.statements import Query, Row, Steps
from riverrun.errors import InvalidInput, NotFound
from riverrun.job import FINALIZED, JobState
from riverrun.store import changing, jobs
from riverrun.store.changing import STOPPED, WAITING, JobChange
from riverrun.store.listing import CAP, Count, JobFilter, capped, filter_params

ACTIONS = ("retry", "run", "cancel", "delete", "snooze", "reprioritize", "move")
MOST_JOBS = 500
STRETCH = 50_000
LONGEST_DELAY = 3_153_600_000.0


@dataclass(frozen=True, slots=True)
class Bulk:
    """An operation: ``matched`` jobs were found so far, of which ``changed`` were in a state that allows it."""

    id: int
    action: str
    params: Mapping[str, Any]
    filter: str
    wanted: JobFilter
    actor: str
    state: str
    first_id: int
    last_id: int
    position: int
    matched: int
    changed: int
    error: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None

    @property
    def progress(self) -> float:
        """How far it is, from 0 to 1."""
        if self.state == "done" or self.last_id < self.first_id:
            return 1.0
        return (self.position - self.first_id + 1) / (self.last_id - self.first_id + 1)


def check_action(action: object, params: Mapping[str, object]) -> dict[str, object]:
    """Return what an action needs: ``delay_s`` to snooze, ``priority`` to reprioritize, ``queue`` to move.

    Raises:
        InvalidInput: The action is not known, or what it needs is missing, not allowed, or too much.
    """
    if action not in ACTIONS:
        raise InvalidInput("action", action, f"one of {', '.join(ACTIONS)}", code="unknown")
    needed = {"snooze": "delay_s", "reprioritize": "priority", "move": "queue"}.get(str(action))
    given = {name: value for name, value in params.items() if value is not None}
    for name in given.keys() - {needed}:
        raise InvalidInput(name, given[name], f"nothing, because {action} does not need it", code="unknown")
    if needed is None:
        return {}
    if needed not in given:
        raise InvalidInput(needed, None, f"what {action} shall set", code="required")
    value = given[needed]
    match needed:
        case "priority":
            return {needed: names.check_priority(value, needed)}
        case "queue":
            return {needed: names.check_queue(value, needed)}
        case _:
            return {needed: _delay(value)}


def begin(action: str, params: Mapping[str, object], wanted: JobFilter, *, filter_text: str, actor: str) -> Steps[Bulk]:
    """Begin an operation; `check_action` has looked at the first two."""
    rows = yield Query(
        "bulk_create",
        {
            "action": action,
            "params": orjson.dumps(params).decode(),
            "filter": filter_text,
            "wanted": orjson.dumps(asdict(wanted)).decode(),
            "actor": actor,
        },
    )
    return _bulk(rows[0])


def count(wanted: JobFilter) -> Steps[Count]:
    """Count the jobs that a filter names, up to 10,000."""
    rows = yield Query("job_count_matching", {**filter_params(wanted), "cap": CAP + 1})
    return capped(rows[0][0])


def step(bulk_id: int | None = None, *, most: int = MOST_JOBS, stretch: int = STRETCH) -> Steps[Bulk | None]:
    """Do the next batch of an operation, of any without an id, in the current transaction.

    Returns:
        The operation as it is now; None when none runs or somebody else is at it.
    """
    rows = yield Query("bulk_hold", {"id": bulk_id})
    if not rows:
        return None
    bulk = _bulk(rows[0])
    until = min(bulk.position + stretch, bulk.last_id)
    found = yield Query(
        "bulk_select", {**filter_params(bulk.wanted), "after": bulk.position, "until": until, "rows": most}
    )
    ids = [row[0] for row in found]
    changed = (yield from _act(bulk, ids)) if ids else 0
    position = ids[-1] if len(ids) == most else until
    rows = yield Query("bulk_advance", {"id": bulk.id, "position": position, "matched": len(ids), "changed": changed})
    return _bulk(rows[0])


def held() -> Steps[Bulk | None]:
    """Return the operation that the next step would be one of, held for the current transaction."""
    rows = yield Query("bulk_hold", {"id": None})
    return _bulk(rows[0]) if rows else None


def get(bulk_id: int, *, queues: Sequence[str] | None = None) -> Steps[Bulk]:
    """Return one operation; with ``queues``, patterns as of tokens, only one that names such queues and no other.

    Raises:
        NotFound: There is none with this id.
    """
    params = {"id": bulk_id, "state": None, "queues": _like(queues), "before": None, "rows": 1}
    rows = yield Query("bulk_list", params)
    if not rows:
        raise NotFound("bulk operation", bulk_id)
    return _bulk(rows[0])


def listed(
    *, before: int | None = None, rows: int = 50, state: str | None = None, queues: Sequence[str] | None = None
) -> Steps[list[Bulk]]:
    """Return operations, the newest first: older than the id ``before``, in one ``state``, of ``queues`` as ``get``."""
    params = {"id": None, "state": state, "queues": _like(queues), "before": before, "rows": rows}
    found = yield Query("bulk_list", params)
    return [_bulk(row) for row in found]


def abort(bulk_id: int) -> Steps[Bulk]:
    """End an operation where it is; what it has changed stays changed.

    Raises:
        NotFound: There is none with this id.
    """
    return (yield from _end(bulk_id, "aborted", None))


def fail(bulk_id: int, error: str) -> Steps[Bulk]:
    """End an operation that cannot go on."""
    return (yield from _end(bulk_id, "failed", error))


def _end(bulk_id: int, state: str, error: str | None) -> Steps[Bulk]:
    rows = yield Query("bulk_end", {"id": bulk_id, "state": state, "error": error})
    if not rows:
        raise NotFound("bulk operation", bulk_id)
    return _bulk(rows[0])


def _act(bulk: Bulk, ids: list[int]) -> Steps[int]:
    """Do what the operation is about to the jobs; return how many were changed."""
    match bulk.action:
        case "retry":
            return len((yield from changing.make_available(ids, STOPPED)))
        case "run":
            return len((yield from changing.make_available(ids, WAITING)))
        case "cancel":
            results = yield from jobs.cancel(ids)
            return sum(result.state_before not in FINALIZED for result in results.values())
        case "delete":
            states = yield from jobs.delete(ids)
            return sum(state is not JobState.RUNNING for state in states.values())
        case _:
            changed = yield from changing.change(ids, change_of(bulk.params))
            return sum(each.done for each in changed.values())


def change_of(params: Mapping[str, Any]) -> JobChange:
    """Return what an action that changes jobs sets, by what `check_action` has returned."""
    return JobChange(delay=params.get("delay_s"), priority=params.get("priority"), queue=params.get("queue"))


def _like(queues: Sequence[str] | None) -> list[str] | None:
    """Return patterns with ``*`` and ``?`` as LIKE takes them."""
    if queues is None:
        return None
    return [pattern.replace("_", r"\_").replace("*", "%").replace("?", "_") for pattern in queues]


def _delay(value: object) -> float:
    allowed = f"a number of seconds from 0 to {LONGEST_DELAY:.0f}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput("delay_s", value, allowed, code="type")
    if not 0 <= value <= LONGEST_DELAY:
        raise InvalidInput("delay_s", value, allowed)
    return float(value)


def _bulk(row: Row) -> Bulk:
    params, wanted = orjson.loads(row[2]), _wanted(orjson.loads(row[4]))
    return Bulk(row[0], row[1], params, row[3], wanted, *row[5:])


def _wanted(kept: Mapping[str, Any]) -> JobFilter:
    fields: dict[str, Any] = {}
    for name, value in kept.items():
        if name.endswith(("_after", "_before")):
            fields[name] = None if value is None else datetime.fromisoformat(value)
        else:
            fields[name] = tuple(value) if isinstance(value, list) else value
    return JobFilter(**{**fields, "states": tuple(map(JobState, fields["states"]))})
