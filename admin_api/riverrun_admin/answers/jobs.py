"""Jobs as the API answers with them, and what becomes of those that it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired

from typing_extensions import TypedDict

from riverrun_admin.answers.parts import Moment, Number, Object


class Enqueued(TypedDict):
    """What became of a job to enqueue."""

    job_id: int
    state: str
    task_type: str
    queue: str
    priority: int
    scheduled_at: Moment | None
    duplicate: bool
    handler_known: bool
    queue_served: bool
    warning: NotRequired[str]


class EnqueuedMany(TypedDict):
    """What became of each job, in order."""

    jobs: Sequence[Enqueued]


class EnqueuedStream(TypedDict):
    """What became of a stream of jobs: how many there were, were new, and were there already."""

    jobs: int
    enqueued: int
    duplicates: int


class Acted(TypedDict):
    """What was done about one job."""

    job_id: int
    state: NotRequired[str]
    cancel_requested: NotRequired[bool]
    deleted: NotRequired[bool]


class Result(Acted):
    """What was done about one of several jobs, or why nothing was."""

    ok: bool
    code: NotRequired[str]
    detail: NotRequired[str]


class Results(TypedDict):
    """What was done about several jobs, in order."""

    results: Sequence[Result]


class AttemptFailure(TypedDict):
    """Why an attempt failed."""

    at: Moment | None
    attempt: int
    error: str
    trace: str


class JobBase(TypedDict):
    """What lists and the job itself have alike."""

    job_id: int
    state: str
    task_type: str
    queue: str
    priority: int
    attempt: int
    max_attempts: int
    created_at: Moment | None
    scheduled_at: Moment | None
    attempted_at: Moment | None
    finalized_at: Moment | None
    tags: Sequence[str]
    last_error: str | None
    cancel_requested: bool


class JobSummary(JobBase):
    """A job as lists have it; ``errors`` counts them, and large arguments are left out."""

    errors: int
    task_params: Object | None


class JobDocument(JobBase):
    """A job, whole."""

    errors: Sequence[AttemptFailure]
    task_params: Object
    metadata: Object
    output: object
    attempted_by: Sequence[str]
    unique_key: str | None


class Jobs(TypedDict):
    """A page of jobs and, with the first one, how many there are."""

    data: list[JobSummary]
    next_cursor: str | None
    count: Number | None


class Terms(TypedDict):
    """The names of the terms of a filter, and the values of some that are known now."""

    terms: Sequence[str]
    state: Sequence[str]
    kind: Sequence[str]
    queue: Sequence[str]
    tag: Sequence[str]


class Watched(TypedDict):
    """How a job stands that somebody watches; no more than its id once it is deleted."""

    job_id: int
    deleted: bool
    state: NotRequired[str]
    attempt: NotRequired[int]
    max_attempts: NotRequired[int]
    scheduled_at: NotRequired[Moment | None]
    attempted_at: NotRequired[Moment | None]
    finalized_at: NotRequired[Moment | None]
    errors: NotRequired[int]
    cancel_requested: NotRequired[bool]
    progress: NotRequired[object]


class Failure(TypedDict):
    """Failed jobs of one kind whose last attempts failed alike."""

    fingerprint: str
    task_type: str
    message: str
    example: str
    newest_job_id: int
    queues: Sequence[str]
    discarded: int
    retryable: int
    last_1h: int
    last_24h: int
    last_7d: int
    first_at: Moment | None
    last_at: Moment | None
    job_ids: Sequence[int]
    filter: str


class Failures(TypedDict):
    """Groups of failures; not complete when older ones were not looked at."""

    data: list[Failure]
    next_cursor: str | None
    complete: bool


class Bulk(TypedDict):
    """An operation on many jobs, and how far it is."""

    bulk_id: int
    action: str
    params: Object
    filter: str
    actor: str
    state: str
    progress: float
    matched: int
    changed: int
    error: str | None
    created_at: Moment | None
    updated_at: Moment | None
    finished_at: Moment | None


class BulkTrial(TypedDict):
    """How many jobs an operation would find; no count where that would take too long."""

    action: str
    filter: str
    dry_run: bool
    count: Number | None
