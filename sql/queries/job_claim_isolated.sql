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
\ir parts/job_mark_running.sql
RETURNING
    \ir parts/job_claimed.sql
