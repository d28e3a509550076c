"""Queues, servers, handlers and schedules as the API answers with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired

from typing_extensions import TypedDict

from riverrun_admin.answers.parts import Moment, Number, Object


class Queue(TypedDict):
    """A queue and how it stands."""

    name: str
    paused_at: Moment | None
    available: Number | None
    running: Number | None
    scheduled: Number | None
    retryable: Number | None
    oldest_age_s: float | None
    pause_reason: str | None
    paused_by: str | None
    resume_at: Moment | None
    max_workers: int | None
    max_workers_by_server: Mapping[str, int]
    slots: int
    executors: int
    completed_1m: int
    failed_1m: int
    wait_p95_s: float | None
    run_p95_s: float | None


class DescribedQueue(TypedDict):
    """A queue as River keeps it, and what is said about it."""

    name: str
    metadata: Object
    paused_at: Moment | None
    created_at: Moment | None
    updated_at: Moment | None


class PausedQueues(TypedDict):
    """Which queues were paused, or let go on."""

    queues: Sequence[str]
    paused: bool


class Drained(PausedQueues):
    """How many jobs of a paused queue still run."""

    running: Number | None


class Scaled(TypedDict):
    """How many slots a queue has."""

    queue: str
    max_workers: int | None
    server_id: str | None


class Server(TypedDict):
    """A server of the fleet."""

    server_id: str
    host: str
    pid: int
    version: str
    roles: Sequence[str]
    alive: bool
    leader: bool
    executors: int
    slots: int
    started_at: Moment | None
    heartbeat_at: Moment | None


class Statistics(TypedDict):
    """How everything stands."""

    as_of: Moment | None
    states: Mapping[str, Number | None]
    queues: Sequence[Queue]
    leader: str | None
    hosts: Sequence[Server]


class AgedStatistics(Statistics):
    """How everything stands, and how old that is."""

    stale_s: float


class HandlerHealth(TypedDict):
    """How the service of a handler is."""

    breaker: str
    reason: str
    misconfigured: str
    failed_probes: int
    throttled_s: float | None
    changed_at: Moment | None


class Call(TypedDict):
    """How a service is called; `riverrun.calls` says what each field may be."""

    backoff: Object | None
    concurrency: int | None
    headers: Object
    tls: Object | None
    health_url: str | None
    cancel_url: str | None
    body: str
    idle_timeout: float
    throttle: str
    client_errors: str


class Handler(Call):
    """A registered handler."""

    task_type: str
    handler_name: str
    handler_type: str
    endpoint_url: str | None
    timeout: float | None
    retry_count: int | None
    description: str
    args_schema: Object | None
    signed: bool
    paused_at: Moment | None
    health: HandlerHealth
    version: int
    created_at: Moment | None
    updated_at: Moment | None


class SecretHandler(Handler):
    """A registered handler and, when it has just been made, the secret that signs its requests."""

    signing_secret: NotRequired[str]


class Schedule(TypedDict):
    """A schedule, and when it is due next."""

    name: str
    task_type: str
    task_params: Object
    expression: str
    timezone: str
    queue: str
    priority: int | None
    max_attempts: int | None
    tags: Sequence[str]
    metadata: Object
    missed: str
    run_on_start: bool
    unique: Object | None
    source: str
    paused_at: Moment | None
    last_tick: Moment | None
    next: Sequence[Moment | None]
    version: int
    created_at: Moment | None
    updated_at: Moment | None


class Tick(TypedDict):
    """A tick of a schedule that was enqueued, and how its job stands."""

    tick: Moment | None
    job_id: int
    state: str | None
    attempted_at: Moment | None
    finalized_at: Moment | None


class ScheduleRun(TypedDict):
    """The job of a schedule that was enqueued by hand."""

    job_id: int
    state: str
    task_type: str
    queue: str


class Health(TypedDict):
    """Whether the process lives, or can work."""

    status: str
