"""What each request may say, field by field.

Every field that is not allowed is reported at once, each with a pointer to it and the sentence that the Python client
and the shell give for the same value.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from riverrun import names
from riverrun.pauses import LONGEST_REASON
from riverrun_admin.rules import check_params, check_queue_or_all, check_slots, check_time, shared

MOST_JOBS = 1000


class Body(BaseModel):
    """A request body: a name that it does not know is an error, and no value is turned into another type."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class UniqueBody(Body):
    """When not to enqueue because such a job is already there."""

    by_args: Any = False
    by_queue: bool = False
    by_period_s: float | None = Field(None, ge=1, le=9_223_372_036, allow_inf_nan=False)
    by_state: list[str] | None = None
    exclude_kind: bool = False


class EnqueueBody(Body):
    """A job to enqueue."""

    task_type: Annotated[str, shared(names.check_kind)]
    task_params: Annotated[str, shared(check_params)] = "{}"
    queue: Annotated[str, shared(names.check_queue)] = "default"
    priority: Annotated[int | None, shared(names.check_priority, optional=True)] = None
    scheduled_at: Annotated[datetime | None, shared(check_time, optional=True)] = None
    delay_s: float | None = Field(None, ge=0, le=3_153_600_000, allow_inf_nan=False)
    max_attempts: Annotated[int | None, shared(names.check_max_attempts, optional=True)] = None
    timeout_s: float | None = Field(None, ge=0.1, le=2_592_000, allow_inf_nan=False)
    tags: Annotated[tuple[str, ...], shared(names.check_tags)] = ()
    metadata: dict[str, Any] | None = None
    unique: UniqueBody | None = None
    pending: bool = False


class EnqueueManyBody(Body):
    """Jobs to enqueue in one transaction."""

    jobs: list[EnqueueBody] = Field(min_length=1, max_length=MOST_JOBS)


class JobIdsBody(Body):
    """One job, or up to 1,000; exactly one of the two is given."""

    job_id: Annotated[int | None, shared(names.check_job_id, optional=True)] = None
    job_ids: list[Annotated[int, shared(names.check_job_id)]] | None = Field(None, min_length=1, max_length=MOST_JOBS)


class SnoozeBody(JobIdsBody):
    """Jobs, and how many seconds from now they shall wait."""

    delay_s: float = Field(ge=0, le=3_153_600_000, allow_inf_nan=False)


class ReprioritizeBody(JobIdsBody):
    """Jobs, and their new priority."""

    priority: Annotated[int, shared(names.check_priority)]


class MoveBody(JobIdsBody):
    """Jobs, and their new queue."""

    queue: Annotated[str, shared(names.check_queue)]


class JobChangeBody(Body):
    """A job that waits, and what shall be different about it."""

    job_id: Annotated[int, shared(names.check_job_id)]
    task_params: Annotated[str | None, shared(check_params, optional=True)] = None
    queue: Annotated[str | None, shared(names.check_queue, optional=True)] = None
    priority: Annotated[int | None, shared(names.check_priority, optional=True)] = None
    max_attempts: Annotated[int | None, shared(names.check_max_attempts, optional=True)] = None
    scheduled_at: Annotated[datetime | None, shared(check_time, optional=True)] = None
    tags: Annotated[tuple[str, ...] | None, shared(names.check_tags, optional=True)] = None


class BulkBody(Body):
    """What to do to which jobs; `riverrun.store.bulk_operations` checks what belongs together."""

    action: str
    filter: str | None = None
    job_ids: list[Annotated[int, shared(names.check_job_id)]] | None = Field(None, min_length=1, max_length=MOST_JOBS)
    delay_s: float | None = Field(None, ge=0, le=3_153_600_000, allow_inf_nan=False)
    priority: Annotated[int | None, shared(names.check_priority, optional=True)] = None
    queue: Annotated[str | None, shared(names.check_queue, optional=True)] = None
    dry_run: bool = False


class BulkIdBody(Body):
    """Which operation."""

    bulk_id: int = Field(ge=1, le=2**63 - 1)


class OneQueueBody(Body):
    """One queue."""

    queue: Annotated[str, shared(names.check_any_queue)]


class QueueBody(Body):
    """A queue, or ``*`` for all that are known."""

    queue: Annotated[str, shared(check_queue_or_all)]


class PauseBody(QueueBody):
    """A queue to pause, or ``*`` for all that are known; why, and when it shall go on by itself."""

    reason: str = Field("", max_length=LONGEST_REASON)
    resume_at: Annotated[datetime | None, shared(check_time, optional=True)] = None


class ScaleBody(Body):
    """How many slots a queue has."""

    queue: Annotated[str, shared(names.check_queue)]
    max_workers: Annotated[int | None, shared(check_slots, optional=True)]
    server_id: Annotated[str | None, shared(names.check_server_id, optional=True)] = None


class QueueMetadataBody(Body):
    """What is said about a queue, all of it."""

    queue: Annotated[str, shared(names.check_any_queue)]
    metadata: dict[str, Any]


class CallBody(Body):
    """How a service is called; `riverrun.calls` checks the values."""

    backoff: Any = None
    concurrency: Any = None
    headers: Any = None
    tls: Any = None
    health_url: Any = None
    cancel_url: Any = None
    body: Any = None
    idle_timeout: Any = None
    throttle: Any = None
    client_errors: Any = None


class HandlerBody(CallBody):
    """A handler to register; `riverrun.registration` checks the values."""

    task_type: Any
    handler_name: Any
    handler_type: Any
    endpoint_url: Any = None
    timeout: Any = None
    retry_count: Any = None
    description: Any = ""
    args_schema: Any = None


class HandlerChangeBody(CallBody):
    """What to change about a handler; what is absent stays."""

    task_type: Annotated[str, shared(names.check_kind)]
    handler_name: Any = None
    handler_type: Any = None
    endpoint_url: Any = None
    timeout: Any = None
    retry_count: Any = None
    description: Any = None
    args_schema: Any = None


class HandlerNameBody(Body):
    """Which handler."""

    task_type: Annotated[str, shared(names.check_kind)]


class SecretBody(HandlerNameBody):
    """Which handler gets a new secret, and how long the present one is used beside it."""

    keep_s: float = Field(86_400, ge=0, le=2_592_000, allow_inf_nan=False)


class TrialBody(HandlerNameBody):
    """A job to try a handler with, and how long to wait for its end."""

    task_params: Annotated[str, shared(check_params)] = "{}"
    queue: Annotated[str, shared(names.check_queue)] = "default"
    wait_s: float = Field(30, ge=0, le=60, allow_inf_nan=False)


class HandlerKindBody(HandlerNameBody):
    """Which handler to delete."""

    force: bool = False


class CallbackErrorBody(Body):
    """Why a service could not do a job."""

    type: str = Field("", max_length=255)
    message: str = ""
    trace: str = ""

    @property
    def text(self) -> str:
        """Type and message in one line."""
        return ": ".join(part for part in (self.type, self.message) if part)


class CallbackLineBody(Body):
    """A line of the log that a service leaves with a job."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    msg: Annotated[str, Field(max_length=8192)]


class CallbackBody(Body):
    """What a service says about a job after it has answered; ``t`` decides which of the other fields count."""

    t: Literal["heartbeat", "progress", "log", "output", "complete", "fail", "result"]
    outcome: Literal["complete", "retry", "snooze", "discard", "cancel"] = "complete"
    output: Any = None
    metadata: dict[str, Any] | None = None
    logs: list[CallbackLineBody | Annotated[str, Field(max_length=8192)]] = Field([], max_length=1000)
    error: CallbackErrorBody | None = None
    delay_s: float | None = Field(None, ge=0, le=3_153_600_000, allow_inf_nan=False)
    pct: float = Field(0, ge=0, le=100, allow_inf_nan=False)
    note: str = ""
    level: Literal["debug", "info", "warning", "error"] = "info"
    msg: str = Field("", max_length=8192)
    data: Any = None


class ScheduleBody(Body):
    """A schedule, whole; `riverrun.schedule` checks what the parts mean together."""

    name: Annotated[str, shared(names.check_schedule_name)]
    task_type: Annotated[str, shared(names.check_kind)]
    cron: str | None = None
    every_s: float | None = Field(None, ge=1, le=3_153_600_000, allow_inf_nan=False)
    timezone: str = "UTC"
    task_params: Annotated[str, shared(check_params)] = "{}"
    queue: Annotated[str, shared(names.check_queue)] = "default"
    priority: Annotated[int | None, shared(names.check_priority, optional=True)] = None
    max_attempts: Annotated[int | None, shared(names.check_max_attempts, optional=True)] = None
    tags: Annotated[tuple[str, ...], shared(names.check_tags)] = ()
    metadata: dict[str, Any] | None = None
    missed: str = "latest"
    run_on_start: bool = False
    unique: UniqueBody | None = None


class TokenBody(Body):
    """A token to make; `riverrun.access` checks the values."""

    name: Any
    role: Any = "read"
    queues: list[Any] = Field([], max_length=50)
    expires_in_s: float | None = Field(None, ge=1, le=315_360_000, allow_inf_nan=False)


class TokenIdBody(Body):
    """Which token."""

    token_id: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")


class ScheduleNameBody(Body):
    """Which schedule."""

    name: Annotated[str, shared(names.check_schedule_name)]
