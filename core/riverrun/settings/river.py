"""The keys of ``river``: executors, scheduler, queues, and how long finished jobs are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from riverrun.errors import NotFound
from riverrun.names import MAX_ATTEMPTS
from riverrun.settings.values import CronOrOff, Duration, DurationOrNone, QueueName, Section, WholeNumber

SECOND = timedelta(seconds=1)


class RetentionSettings(Section):
    """How long jobs are kept after they were finalized."""

    completed: DurationOrNone = Field(timedelta(hours=24), ge=SECOND, description="completed jobs; -1: for ever")
    cancelled: DurationOrNone = Field(timedelta(hours=24), ge=SECOND, description="cancelled jobs; -1: for ever")
    discarded: DurationOrNone = Field(timedelta(days=7), ge=SECOND, description="discarded jobs; -1: for ever")


class ReindexSettings(Section):
    """When the indexes of jobs are built anew, beside running readers and writers."""

    schedule: CronOrOff = Field("0 0 * * *", description="five fields in UTC, @weekly and its kin, or off")
    time_limit: Duration = Field(
        timedelta(minutes=1), ge=SECOND, le=timedelta(hours=24), description="how long one index may take"
    )


class QueueSettings(Section):
    """One queue that executors of this host work on."""

    max_workers: WholeNumber | None = Field(
        None, ge=1, le=10_000, description="slots on this host, shared by the processes; by default river.workers"
    )
    priority: WholeNumber = Field(
        1,
        ge=1,
        le=9,
        description="of a job that the HTTP API, queuectl or a schedule enqueues here without one; 1 goes first",
    )
    processes: WholeNumber = Field(1, ge=1, le=64, description="executor processes that share the slots")


def share(slots: int, number: int, processes: int) -> int:
    """Return how many of a queue's ``slots`` on a host are those of executor ``number``, from 0, of ``processes``."""
    return slots // processes + (number < slots % processes)


class RiverSettings(Section):
    """Executors, scheduler and queues."""

    enable: bool = Field(True, description="false: `queuectl start` says so and starts nothing")
    workers: WholeNumber = Field(50, ge=1, le=10_000, description="slots of a queue that names no max_workers")
    poll_only: bool = Field(
        False,
        description="never LISTEN; for connections through a pooler in session mode, as one in transaction or statement"
        " mode is refused",
    )
    insert_only: bool = Field(False, description="accept jobs, run none: only the admin process is started")
    rescue_stuck_jobs_after: Duration = Field(
        timedelta(hours=1),
        ge=SECOND,
        description="when a running job of another River client, which renews no lease, is taken for stuck",
    )
    max_attempts: WholeNumber = Field(
        25,
        ge=1,
        le=32_767,
        description="of a job that the HTTP API, queuectl or a schedule enqueues without a number; clients have"
        " their own",
    )
    job_timeout: DurationOrNone = Field(
        timedelta(minutes=1), ge=timedelta(milliseconds=1), description="of a handler that names none; -1: no limit"
    )
    poll_interval: Duration = Field(
        SECOND, ge=timedelta(milliseconds=50), description="how often an idle executor polls for jobs"
    )
    durable_finalize: bool = Field(
        True, description="false: faster, but a crash of PostgreSQL may run the jobs of the last moments again"
    )
    leadership: Literal["lead", "follow", "off"] = Field(
        "lead", description="River's own leader row: hold it, leave it to a River client, or ignore it"
    )
    shutdown_wait: Duration = Field(timedelta(seconds=20), description="how long running jobs may finish at a stop")
    shutdown_cancel: Duration = Field(timedelta(seconds=5), description="how long cancelled jobs may clean up then")
    retention: RetentionSettings = RetentionSettings()
    reindex: ReindexSettings = ReindexSettings()
    queues: dict[QueueName, QueueSettings] = Field({"default": QueueSettings()}, min_length=1)

    @field_validator("job_timeout")
    @classmethod
    def _ends_before_rescue(cls, value: timedelta | None, info: ValidationInfo) -> timedelta | None:
        rescue = info.data.get("rescue_stuck_jobs_after")
        if value is not None and rescue is not None and value > rescue:
            raise ValueError("at most river.rescue_stuck_jobs_after, or a River client rescues the job while it runs")
        return value

    @field_validator("queues")
    @classmethod
    def _give_every_process_a_slot(
        cls, value: dict[str, QueueSettings], info: ValidationInfo
    ) -> dict[str, QueueSettings]:
        for name, queue in value.items():
            slots = queue.max_workers or info.data.get("workers", queue.processes)
            if queue.processes > slots:
                raise ValueError(f"at least one slot for each process; {name} has {slots} for {queue.processes}")
        return value

    def priority_of(self, queue: str) -> int:
        """Return the priority of a job of ``queue`` that is enqueued without one."""
        known = self.queues.get(queue)
        return known.priority if known else 1

    def max_attempts_of(self, retry_count: int | None) -> int:
        """Return the attempts of a job that is enqueued without a number.

        Args:
            retry_count: What is registered for the handler of its kind; ``None``: nothing is.
        """
        return self.max_attempts if retry_count is None else min(retry_count + 1, MAX_ATTEMPTS)

    def slots_of(self, queue: str) -> list[int]:
        """Return the slots of ``queue`` on this host, one number for each of its executor processes.

        Raises:
            NotFound: This host does not serve ``queue``.
        """
        if queue not in self.queues:
            raise NotFound("queue", queue)
        served = self.queues[queue]
        slots = served.max_workers or self.workers
        return [share(slots, number, served.processes) for number in range(served.processes)]
