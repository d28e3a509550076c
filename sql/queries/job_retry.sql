-- job_retry.sql
-- Make a job available again by hand, whatever state it is in, unless it runs.
--   in:    id
--   out:   id, state and queue afterwards, and the state before; no row when there is no such job
--   locks: the job
--   index: river_job_pkey
-- One more attempt is allowed when all were used. The mark of an earlier cancellation goes, or the job would be
-- cancelled again at its next failure. A job that had ended is marked as run once more, so that services which drop
-- messages they know do not drop it. Raises unique_violation when another unfinished job has the same unique key.
WITH held AS MATERIALIZED (
    SELECT id, state AS state_before, state = 'available' AND scheduled_at <= now() AS due
    FROM river_job
    WHERE id = %(id)s::bigint
    FOR UPDATE
),
retried AS (
    UPDATE river_job AS job
    SET state = 'available',
        scheduled_at = now(),
        max_attempts = CASE WHEN job.attempt = job.max_attempts THEN job.max_attempts + 1 ELSE job.max_attempts END,
        finalized_at = NULL,
        metadata = (job.metadata - 'cancel_attempted_at') || CASE
            WHEN held.state_before IN ('cancelled', 'completed', 'discarded')
                THEN jsonb_build_object('riverrun:reruns', 1 + CASE jsonb_typeof(job.metadata -> 'riverrun:reruns')
                    WHEN 'number' THEN trunc((job.metadata ->> 'riverrun:reruns')::numeric) ELSE 0 END)
            ELSE '{}'
        END
    FROM held
    WHERE job.id = held.id AND held.state_before <> 'running' AND NOT held.due
    RETURNING job.id, job.queue
),
woken AS (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_insert', '{"queue": ' || to_json(queue)::text || '}'
    )
    FROM retried
)
SELECT
    held.id,
    CASE WHEN held.state_before = 'running' THEN 'running' ELSE 'available' END AS state,
    held.state_before::text,
    (SELECT count(*) FROM woken) AS woken
FROM held
