-- job_retried.sql
-- Part of statements that make jobs available by hand: what that changes in river_job AS job.
-- One more attempt is allowed when all were used, as far as it can be counted. The mark of an earlier cancellation goes,
-- or the job would be cancelled again at its next failure. A job that had ended is marked as run once more, so that
-- services which drop messages they know do not drop it.
state = 'available',
scheduled_at = now(),
max_attempts = CASE WHEN job.attempt = job.max_attempts THEN least(job.max_attempts + 1, 32767) ELSE job.max_attempts END,
finalized_at = NULL,
metadata = (CASE WHEN jsonb_typeof(job.metadata) = 'object' THEN job.metadata ELSE '{}' END - 'cancel_attempted_at') || CASE
    WHEN job.state IN ('cancelled', 'completed', 'discarded')
        THEN jsonb_build_object('riverrun:reruns', 1 + CASE jsonb_typeof(job.metadata -> 'riverrun:reruns')
            WHEN 'number' THEN trunc((job.metadata ->> 'riverrun:reruns')::numeric) ELSE 0 END)
    ELSE '{}'
END
