-- job_complete.sql
-- Finalize attempts that succeeded and leave nothing behind: the common case, written as narrowly as possible.
--   in:    parallel arrays ids, attempts, attempted_us · incarnation
--   out:   the ids that were completed; of one that is missing job_own_end.sql knows why
--   locks: the jobs, in id order; one that somebody else holds keeps nobody waiting
--   index: river_job_pkey; the state is compared as text so that no partial index full of dead entries is taken
-- One look-up a row, whatever the planner believes of the table: a join would now and then read the whole index.
WITH held AS MATERIALIZED (
    SELECT job.id
    FROM (
        SELECT id, attempt, attempted_us
        FROM unnest(%(ids)s::bigint[], %(attempts)s::smallint[], %(attempted_us)s::bigint[])
            AS given (id, attempt, attempted_us)
        ORDER BY id
    ) AS done
    CROSS JOIN LATERAL (
        SELECT id
        FROM river_job
        WHERE id = done.id
            AND state::text = 'running'
            AND attempt = done.attempt
            AND attempted_at = timestamptz 'epoch' + done.attempted_us * interval '1 microsecond'
            AND attempted_by[cardinality(attempted_by)] = %(incarnation)s::text
        FOR UPDATE SKIP LOCKED
    ) AS job
)
UPDATE river_job AS job
SET state = 'completed', finalized_at = now()
FROM held
WHERE job.id = held.id
RETURNING job.id
