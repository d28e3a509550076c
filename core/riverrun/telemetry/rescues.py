"""Shows a job that was taken back, in the log and in the metrics, whoever took it back."""

from __future__ import annotations

import logging

from riverrun.store.rescue import RescuedJob
from riverrun.telemetry import metrics

log = logging.getLogger(__name__)


def tell(job: RescuedJob, *, executor: str | None, reason: str) -> None:
    """Log and count one rescued job.

    Args:
        job: The job as it is now.
        executor: Incarnation of the executor that had it.
        reason: What stands in the job's errors.
    """
    metrics.job_attempts.labels(queue=job.queue, kind=job.kind, outcome="rescued").inc()
    metrics.job_errors.labels(queue=job.queue, kind=job.kind, error_type="lease_expired").inc()
    fields = {"job_id": job.id, "kind": job.kind, "queue": job.queue, "attempt": job.attempt}
    log.warning("job_rescued", extra={**fields, "state": job.state, "executor": executor, "reason": reason})
