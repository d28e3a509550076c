-- job_release_unknown.sql
-- Give back jobs that are marked as run by this executor although it does not run them: claims whose answer was lost.
--   in:    queue · incarnation · known, the ids it does hold · older_than, seconds: a younger claim may be on its way
--   out:   the ids that are available again; the attempt that nobody started does not count
--   locks: the jobs, in id order; locked ones are left for the next time
--   index: riverrun_job_live_index (state, queue)
WITH lost AS MATERIALIZED (
    SELECT id
    FROM river_job
    WHERE state = 'running'
        AND queue = %(queue)s::text
        AND attempted_by[cardinality(attempted_by)] = %(incarnation)s::text
        AND attempted_at <= now() - make_interval(secs => %(older_than)s::float8)
        AND id <> ALL (%(known)s::bigint[])
    ORDER BY id
    FOR UPDATE SKIP LOCKED
)
UPDATE river_job AS job
SET state = CASE
        WHEN job.metadata ? 'cancel_attempted_at' THEN 'cancelled'
        WHEN job.metadata ? 'riverrun:isolated' THEN 'pending'
        ELSE 'available'
    END::river_job_state,
    attempt = greatest(job.attempt - 1, 0),
    finalized_at = CASE WHEN job.metadata ? 'cancel_attempted_at' THEN now() END
FROM lost
WHERE job.id = lost.id
RETURNING job.id
