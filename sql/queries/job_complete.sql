-- job_complete.sql
-- Finalize attempts that succeeded and leave nothing behind: the common case, written as narrowly as possible.
--   in:    parallel arrays ids, attempts, attempted_us · incarnation
--   out:   the ids that were completed; of one that is missing job_own_end.sql knows why
--   locks: the jobs, in id order; one that somebody else holds keeps nobody waiting
--   index: river_job_pkey; the state is compared as text so that no partial index full of dead entries is taken
WITH held AS MATERIALIZED (
    SELECT job.id
    FROM unnest(%(ids)s::bigint[], %(attempts)s::smallint[], %(attempted_us)s::bigint[])
        AS done (id, attempt, attempted_us)
    JOIN river_job AS job ON job.id = done.id
    WHERE job.state::text = 'running'
        AND job.attempt = done.attempt
        AND job.attempted_at = timestamptz 'epoch' + done.attempted_us * interval '1 microsecond'
        AND job.attempted_by[cardinality(job.attempted_by)] = %(incarnation)s::text
    ORDER BY job.id
    FOR UPDATE OF job SKIP LOCKED
)
UPDATE river_job AS job
SET state = 'completed', finalized_at = now()
FROM held
WHERE job.id = held.id
RETURNING job.id
