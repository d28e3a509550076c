-- job_claim_isolated.sql
-- Mark the best jobs of one queue that wait for the isolated executor as running; otherwise as job_claim.sql.
--   in:    queue · slots, 1 or more · incarnation · kinds_left_out, may be empty
--   out:   as job_claim.sql
--   locks: rows that another executor is claiming are skipped
--   index: riverrun_job_live_index (state, queue)
-- Jobs of River's own clients that wait as pending for something else do not have the mark and are left alone.
WITH due AS MATERIALIZED (
    SELECT id
    FROM river_job
    WHERE state = 'pending'
        AND queue = %(queue)s::text
        AND metadata ? 'riverrun:isolated'
        AND kind <> ALL (%(kinds_left_out)s::text[])
        AND NOT EXISTS (SELECT FROM river_queue WHERE name = %(queue)s::text AND paused_at IS NOT NULL)
    ORDER BY priority, scheduled_at, id
    LIMIT %(slots)s::int
    FOR UPDATE SKIP LOCKED
)
UPDATE river_job AS job
SET state = 'running',
    attempt = least(job.attempt + 1, 32767),  -- the last number there is; one more would stop the whole queue
    attempted_at = now(),
    attempted_by = array_append(
        CASE
            WHEN cardinality(job.attempted_by) >= 100 THEN job.attempted_by[cardinality(job.attempted_by) - 98:]
            ELSE job.attempted_by
        END,
        %(incarnation)s::text
    )
FROM due
WHERE job.id = due.id
RETURNING
    job.id,
    job.kind,
    job.args::text,
    job.attempt,
    job.max_attempts,
    job.priority,
    job.metadata::text,
    job.tags,
    coalesce(cardinality(job.errors), 0) AS errors,
    (extract(epoch FROM job.attempted_at) * 1000000)::bigint AS attempted_us,
    (extract(epoch FROM job.scheduled_at) * 1000000)::bigint AS scheduled_us,
    (extract(epoch FROM job.created_at) * 1000000)::bigint AS created_us
