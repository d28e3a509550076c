"""What the clients offer, once: every input checked, every refusal an error of its own, as steps for either client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypedDict, TypeVar

from riverrun import go_json, job_query
from riverrun.database.statements import Steps
from riverrun.errors import InvalidInput, JobFinalized, JobRunning, NotFound
from riverrun.job import Job, JobState
from riverrun.json_input import check_args
from riverrun.members import object_of, output_member, own_members
from riverrun.moments import check_moment
from riverrun.names import (
    check_any_queue,
    check_job_id,
    check_looked_up,
    check_priority,
    check_queue,
    check_schedule_name,
    check_server_id,
    check_state,
)
from riverrun.new_job import NewJob
from riverrun.pauses import new_pause
from riverrun.schedule import Schedule, new_schedule
from riverrun.store import jobs, listing, queues, river_leader, schedules
from riverrun.store.jobs import CancelResult, EnqueueResult
from riverrun.store.queues import Queue
from riverrun.unique import Unique

T = TypeVar("T")

MOST_QUEUE_METADATA = 7_000
"""Bytes of a queue's metadata: a notification carries them, and PostgreSQL's hold 8,000."""


def enqueue(job: NewJob) -> Steps[EnqueueResult]:
    """Insert one job, unless it is a duplicate."""
    (result,) = yield from jobs.enqueue([job])
    return result


def get(job_id: object) -> Steps[Job]:
    """Return one job.

    Raises:
        NotFound: There is no such job.
    """
    return (yield from jobs.get(check_job_id(job_id, "job_id")))


class Changes(TypedDict, total=False):
    """What of a job may be changed at any time.

    Attributes:
        output: Any JSON value, at most 32 MiB; it takes the place of what the handler has recorded.
        metadata: A mapping that is merged into the job's; names that begin with ``river:`` and ``riverrun:`` are
            reserved.
    """

    output: object
    metadata: Mapping[str, object]


def update(job_id: object, changes: Changes) -> Steps[Job]:
    """Change the output or the metadata of a job and return it.

    Raises:
        InvalidInput: Something is not allowed, or nothing is to be changed.
        NotFound: There is no such job.
    """
    checked = check_job_id(job_id, "job_id")
    if unknown := set(changes) - set(Changes.__annotations__):
        raise InvalidInput(min(unknown), min(unknown), f"one of {', '.join(Changes.__annotations__)}", code="unknown")
    if not changes:
        raise InvalidInput("output", None, f"at least one of {', '.join(Changes.__annotations__)}", code="required")
    members = own_members(changes["metadata"]) if "metadata" in changes else {}
    if "output" in changes:
        members |= output_member(changes["output"])
    return (yield from jobs.update(checked, object_of(members) or "{}"))


def cancel(job_id: object) -> Steps[CancelResult]:
    """Cancel a job that waits; ask the executor of one that runs.

    Raises:
        NotFound: There is no such job.
        JobFinalized: It is completed or discarded; cancelling a cancelled job is no error.
    """
    checked = check_job_id(job_id, "job_id")
    result = (yield from jobs.cancel([checked])).get(checked)
    if result is None:
        raise NotFound("job", checked)
    if result.state in (JobState.COMPLETED, JobState.DISCARDED):
        raise JobFinalized(checked, result.state)
    return result


def retry(job_id: object) -> Steps[Job]:
    """Make a job available by hand, with one more attempt when all were used, and return it.

    Raises:
        NotFound: There is no such job.
        JobRunning: It is being executed.
        UniqueConflict: Another unfinished job has its unique key.
    """
    return (yield from jobs.retry(check_job_id(job_id, "job_id")))


def delete(job_id: object) -> Steps[None]:
    """Delete a job.

    Raises:
        NotFound: There is no such job.
        JobRunning: It is being executed.
    """
    checked = check_job_id(job_id, "job_id")
    state = (yield from jobs.delete([checked])).get(checked)
    if state is None:
        raise NotFound("job", checked)
    if state == JobState.RUNNING:
        raise JobRunning(checked)


def pause_queue(queue: object, *, reason: object = "", actor: str = "", resume_at: object = None) -> Steps[list[str]]:
    """Pause a queue, or all that are known with ``*``; return their names.

    Args:
        queue: A queue that is known.
        reason: Why, for people; at most 255 characters.
        actor: Who pauses it.
        resume_at: When it goes on by itself; ``None``: when somebody resumes it.

    Raises:
        NotFound: No queue of that name is known.
    """
    return (yield from queues.pause(_one_or_all(queue), new_pause(reason, actor=actor, resume_at=resume_at)))


def resume_queue(queue: object) -> Steps[list[str]]:
    """Let a queue go on, or all that are known with ``*``; return their names.

    Raises:
        NotFound: No queue of that name is known.
    """
    return (yield from queues.resume(_one_or_all(queue)))


def get_queue(queue: object) -> Steps[Queue]:
    """Return a queue as River keeps it.

    Raises:
        NotFound: No queue of that name is known.
    """
    return (yield from queues.get(check_any_queue(queue, "queue")))


def set_queue_metadata(queue: object, metadata: object) -> Steps[Queue]:
    """Replace what is said about a queue, tell everybody who works on it, and return it.

    Args:
        queue: A queue that is known.
        metadata: A mapping, or the JSON text of an object, of at most ``MOST_QUEUE_METADATA`` bytes.

    Raises:
        NotFound: No queue of that name is known.
    """
    name = check_any_queue(queue, "queue")
    text = go_json.write(go_json.parse(check_args(metadata, "metadata"), "metadata"))
    if (size := len(text.encode())) > MOST_QUEUE_METADATA:
        raise InvalidInput("metadata", size, f"at most {MOST_QUEUE_METADATA} bytes of JSON text", code="length")
    return (yield from queues.describe(name, text))


def request_resign() -> Steps[None]:
    """Ask whoever does the maintenance, a scheduler of ours or a client of River, to let another have a try."""
    yield from river_leader.request_resign()


def scale_queue(queue: object, max_workers: object, *, server_id: object = None) -> Steps[None]:
    """Set how many slots a queue has, on one server or on all; without a number the configuration counts again.

    Args:
        queue: A queue; it need not be known yet.
        max_workers: Slots from 1 to 10,000, or None.
        server_id: The server; None means all that have no setting of their own.
    """
    name = check_queue(queue, "queue")
    server = "" if server_id is None else check_server_id(server_id, "server_id")
    yield from queues.scale(name, None if max_workers is None else _slots(max_workers), server_id=server)


class ScheduleOptions(TypedDict, total=False):
    """What may be said about a schedule besides its name and kind; see `riverrun.schedule.new_schedule`.

    Attributes:
        cron: Five fields, ``@daily`` and its kin, or ``@every 90s``; either this or ``every``.
        every: Interval of at least a second, counted from 1970-01-01 UTC.
        timezone: Zone of the cron fields.
        args: Arguments of its jobs.
        queue: Queue of its jobs.
        priority: 1 (first) to 9; without one the queue's.
        max_attempts: 1 to 32,767; without one the configured number.
        tags: Tags of its jobs.
        metadata: Metadata of its jobs.
        missed: ``latest``, ``skip`` or ``all``: what becomes of ticks that nobody was there for.
        run_on_start: Whether a job is enqueued at once as well, and whenever a leader begins.
        unique: When a tick enqueues nothing because such a job is there.
    """

    cron: str
    every: timedelta
    timezone: str
    args: Mapping[str, object] | str
    queue: str
    priority: int | None
    max_attempts: int | None
    tags: Sequence[str]
    metadata: Mapping[str, object] | None
    missed: str
    run_on_start: bool
    unique: Unique | None


def list_schedules() -> Steps[list[Schedule]]:
    """Return all schedules in the order of their names."""
    return (yield from schedules.list_all())


def add_schedule(name: object, kind: object, options: ScheduleOptions) -> Steps[Schedule]:
    """Make a schedule and return it.

    Raises:
        InvalidInput: Something is not allowed.
        Conflict: There is one of that name.
    """
    if unknown := set(options) - set(ScheduleOptions.__annotations__):
        first = min(unknown)
        raise InvalidInput(first, first, f"one of {', '.join(ScheduleOptions.__annotations__)}", code="unknown")
    return (yield from schedules.create(new_schedule(name, kind=kind, **options)))


def remove_schedule(name: object) -> Steps[None]:
    """Delete a schedule; jobs that it has enqueued stay.

    Raises:
        NotFound: There is no such schedule.
        Conflict: It comes from a configuration, which alone can remove it.
    """
    yield from schedules.delete(check_schedule_name(name, "name"))


class ListFilters(TypedDict, total=False):
    """Which jobs to list; each is one value or several of which one must match.

    Attributes:
        state: States such as ``available``.
        queue: Queue names.
        kind: Kinds.
        tag: Tags.
        tags_all: Tags of which a job must have every one.
        metadata: A mapping, or the JSON text of an object, that the job's metadata must contain.
        id: Ids of jobs.
        priority: Priorities from 1 to 9.
        created_after: Enqueued at this time, which must have a zone, or later.
        created_before: Enqueued before this time.
        order: ``newest`` or ``oldest`` first, by id; without it in the order in which such jobs are looked for.
    """

    state: str | Sequence[str]
    queue: str | Sequence[str]
    kind: str | Sequence[str]
    tag: str | Sequence[str]
    tags_all: str | Sequence[str]
    metadata: Mapping[str, object] | str | None
    id: int | Sequence[int]
    priority: int | Sequence[int]
    created_after: datetime | None
    created_before: datetime | None
    order: listing.Order | None


def page(
    filters: ListFilters, *, limit: int, cursor: str | None, line: listing.JobFilter | None = None
) -> Steps[listing.Page]:
    """Return up to ``limit`` jobs from ``cursor`` on; see `riverrun.store.listing`."""
    if unknown := set(filters) - set(ListFilters.__annotations__):
        name = min(unknown)
        raise InvalidInput(name, name, f"one of {', '.join(ListFilters.__annotations__)}", code="unknown")
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise InvalidInput("limit", limit, f"a whole number from 1 to {listing.LARGEST_PAGE}", code="type")
    if cursor is not None and not isinstance(cursor, str):
        raise InvalidInput("cursor", cursor, "the next_cursor of an earlier page, or None", code="type")
    wanted = listing.JobFilter(
        states=_each("state", filters.get("state", ()), check_state),
        queues=_each("queue", filters.get("queue", ()), check_looked_up),
        kinds=_each("kind", filters.get("kind", ()), check_looked_up),
        tags=_each("tag", filters.get("tag", ()), check_looked_up),
        tags_all=_each("tags_all", filters.get("tags_all", ()), check_looked_up),
        metadata=None if (said := filters.get("metadata")) is None else check_args(said, "metadata"),
        ids=_each("id", filters.get("id", ()), check_job_id),
        priorities=_each("priority", filters.get("priority", ()), check_priority),
        created_after=_moment("created_after", filters.get("created_after")),
        created_before=_moment("created_before", filters.get("created_before")),
    )
    if line is not None:
        wanted = job_query.merged(wanted, line)
    order = check_order(filters.get("order"), "order")
    return (yield from listing.page(wanted, limit=limit, cursor=cursor, order=order))


def pages(filters: ListFilters, text: str | None) -> Callable[[int, str | None], Steps[listing.Page]]:
    """Return what reads a page of so many jobs from a cursor on: those of ``filters`` and of a `job_query` line."""
    line = None if text is None else job_query.parse(text)

    def read(limit: int, cursor: str | None) -> Steps[listing.Page]:
        return (yield from page(filters, limit=limit, cursor=cursor, line=line))

    return read


def check_order(value: object, field: str) -> listing.Order | None:
    """Return ``value`` as an order of jobs; None is the usual one."""
    order = next((order for order in listing.ORDERS if order == value), None)
    if value is not None and order is None:
        raise InvalidInput(field, value, "newest or oldest", code="unknown")
    return order


def _each(field: str, given: object, check: Callable[[object, str], T]) -> tuple[T, ...]:
    """Return one value, or several, as a checked tuple."""
    several = given if isinstance(given, Sequence) and not isinstance(given, str | bytes) else (given,)
    return tuple(check(value, field) for value in several)


def _moment(field: str, value: object) -> datetime | None:
    return None if value is None else check_moment(value, field)


def _one_or_all(queue: object) -> str:
    return "*" if queue == "*" else check_any_queue(queue, "queue")


def _slots(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000:
        raise InvalidInput("max_workers", value, "a whole number from 1 to 10000")
    return value
