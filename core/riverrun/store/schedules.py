"""What is asked of the database about schedules: by whoever manages them, and by the leader that lives by them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import orjson

from riverrun.database.statements import Query, Row, Steps
from riverrun.errors import Conflict, NotFound, StaleRevision
from riverrun.job import JobState
from riverrun.new_job import NewJob
from riverrun.schedule import NewSchedule, Schedule, Tick
from riverrun.store import jobs
from riverrun.store.jobs import EnqueueResult
from riverrun.unique import unique_from, unique_key, unique_states_mask


def list_all() -> Steps[list[Schedule]]:
    """Return all schedules in the order of their names."""
    rows = yield Query("schedule_list", {"name": None})
    return [_schedule(row) for row in rows]


def get(name: str) -> Steps[Schedule]:
    """Return one schedule.

    Raises:
        NotFound: There is no such schedule.
    """
    rows = yield Query("schedule_list", {"name": name})
    if not rows:
        raise NotFound("schedule", name)
    return _schedule(rows[0])


def history(names: Sequence[str], *, rows: int) -> Steps[dict[str, list[Tick]]]:
    """Return the newest ticks of the last week, at most ``rows`` of each schedule, by its name."""
    found = yield Query("schedule_tick_list", {"names": list(names), "rows": rows})
    ticks: dict[str, list[Tick]] = {name: [] for name in names}
    for name, tick, job_id, state, attempted_at, finalized_at in found:
        ticks[name].append(Tick(tick, job_id, JobState(state) if state else None, attempted_at, finalized_at))
    return ticks


def create(new: NewSchedule) -> Steps[Schedule]:
    """Make a schedule, whose first tick is the first one after now, and return it.

    Raises:
        Conflict: There is one of that name.
    """
    rows = yield Query("schedule_create", _columns(new))
    if not rows:
        raise Conflict(f"schedule {new.name} exists already")
    return (yield from get(new.name))


def update(new: NewSchedule, *, revision: int | None = None) -> Steps[Schedule]:
    """Make the schedule of that name what ``new`` says and return it; with another expression it starts from now.

    Args:
        new: All of it.
        revision: The revision that the sender has seen; ``None`` overwrites whatever is there.

    Raises:
        NotFound: There is no such schedule.
        StaleRevision: It was changed since.
        Conflict: It comes from the configuration, which alone can change it.
    """
    rows = yield Query("schedule_update", {**_columns(new), "revision": revision})
    _must_be_changed(rows, new.name)
    return (yield from get(new.name))


def delete(name: str, *, revision: int | None = None) -> Steps[None]:
    """Delete a schedule; jobs that it has enqueued stay. Arguments and errors are those of `update`."""
    rows = yield Query("schedule_delete", {"name": name, "revision": revision})
    _must_be_changed(rows, name)


def pause(name: str) -> Steps[Schedule]:
    """Let a schedule enqueue nothing until it is resumed, also one of the configuration, and return it.

    Raises:
        NotFound: There is no such schedule.
    """
    return (yield from _switch("schedule_pause", name))


def resume(name: str) -> Steps[Schedule]:
    """Let a schedule go on from now and return it; ticks of the pause are left out, whatever its policy.

    Raises:
        NotFound: There is no such schedule.
    """
    return (yield from _switch("schedule_resume", name))


def run_now(name: str, *, priority: int, max_attempts: int) -> Steps[EnqueueResult]:
    """Enqueue a schedule's job once more, now; its ticks go on as if nothing had happened.

    Args:
        name: The schedule; it may be paused.
        priority: For a schedule that names none: the queue's.
        max_attempts: For a schedule that names none: the configured number.

    Raises:
        NotFound: There is no such schedule.
    """
    schedule = yield from get(name)
    marks = {"periodic": True, "river:periodic_job_id": name, "riverrun:schedule": name}
    job = NewJob(
        kind=schedule.kind,
        args_text=schedule.args_text,
        queue=schedule.queue,
        priority=schedule.priority or priority,
        max_attempts=schedule.max_attempts or max_attempts,
        scheduled_at=None,
        delay=None,
        pending=False,
        tags=schedule.tags,
        metadata_text=json.dumps({**json.loads(schedule.metadata_text), **marks}),
        unique_key=None,
        unique_states=None,
    )
    (result,) = yield from jobs.enqueue([job])
    return result


def enqueue_ticks(
    generation: int,
    schedule: Schedule,
    ticks: Sequence[datetime],
    *,
    settled: datetime,
    priority: int,
    max_attempts: int,
) -> Steps[list[int] | None]:
    """Enqueue one job for each of ``ticks`` (ascending) and return the jobs' ids.

    A tick that has its job gives none, and so does one that finds a job with its unique key. Others up to ``settled``
    are left out for good.

    ``None``, and nothing was done, when the schedule is not any more what was read, or the term is over. ``priority``
    and ``max_attempts`` are for a schedule that names none.
    """
    (row,) = yield Query(
        "schedule_tick",
        {
            "generation": generation,
            "name": schedule.name,
            "revision": schedule.revision,
            "last_tick": schedule.last_tick,
            "ticks": list(ticks),
            "settled": settled,
            "unique_keys": [_unique_key(schedule, tick) for tick in ticks],
            "unique_states": unique_states_mask(schedule.unique) if schedule.unique else None,
            "priority": priority,
            "max_attempts": max_attempts,
        },
    )
    return list(row[1]) if row[0] else None


def synchronize(generation: int, configured: Sequence[NewSchedule]) -> Steps[dict[str, str]]:
    """Make the schedules of the configuration the ones in the database; return what changed, by name.

    The changes are ``added``, ``changed``, ``removed``, and ``taken`` for a name that the API uses already.
    """
    rows = yield Query(
        "schedule_sync",
        {"generation": generation, "schedules": f"[{','.join(_json(schedule) for schedule in configured)}]"},
    )
    return dict(rows)


def _switch(statement: str, name: str) -> Steps[Schedule]:
    rows = yield Query(statement, {"name": name})
    if not rows:
        raise NotFound("schedule", name)
    return (yield from get(name))


def _must_be_changed(rows: list[Row], name: str) -> None:
    if not rows:
        raise NotFound("schedule", name)
    source, revision, changed = rows[0]
    if changed:
        return
    if source == "config":
        raise Conflict(f"schedule {name} comes from the configuration; change it there and reload")
    raise StaleRevision(f"schedule {name}", revision)


def _unique_key(schedule: Schedule, tick: datetime) -> bytes | None:
    if schedule.unique is None:
        return None
    return unique_key(
        schedule.unique, kind=schedule.kind, args_text=schedule.args_text, queue=schedule.queue, scheduled_at=tick
    )


def _columns(new: NewSchedule) -> dict[str, object]:
    return {
        "name": new.name,
        "kind": new.kind,
        "args": new.args_text,
        "expression": new.expression,
        "timezone": new.timezone,
        "queue": new.queue,
        "priority": new.priority,
        "max_attempts": new.max_attempts,
        "tags": orjson.dumps(new.tags).decode(),
        "metadata": new.metadata_text,
        "missed": new.missed,
        "run_on_start": new.run_on_start,
        "unique_by": orjson.dumps(new.unique.document()).decode() if new.unique else None,
    }


def _json(new: NewSchedule) -> str:
    """Return a schedule as a JSON object, its arguments as the text they are, so that no number loses a digit."""
    columns = _columns(new)
    texts = {name: columns.pop(name) or "null" for name in ("args", "tags", "metadata", "unique_by")}
    rest = orjson.dumps(columns).decode()
    return f'{rest[:-1]},"args":{texts["args"]},"tags":{texts["tags"]},"unique_by":{texts["unique_by"]}}}'


def _schedule(row: Row) -> Schedule:
    return Schedule(
        name=row[0],
        kind=row[1],
        args_text=row[2],
        expression=row[3],
        timezone=row[4],
        queue=row[5],
        priority=row[6],
        max_attempts=row[7],
        tags=tuple(row[8]),
        metadata_text=row[9],
        missed=row[10],
        source=row[11],
        paused_at=row[12],
        last_tick=row[13],
        revision=row[14],
        created_at=row[15],
        updated_at=row[16],
        run_on_start=row[17],
        unique=None if row[18] is None else unique_from(orjson.loads(row[18])),
    )
