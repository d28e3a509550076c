-- job_delete.sql
-- Delete jobs that do not run.
--   in:    ids
--   out:   id and state of every job that exists; those that were running are still there
--   locks: the jobs, in id order
--   index: river_job_pkey
WITH held AS MATERIALIZED (
    SELECT id, state
    FROM river_job
    WHERE id = ANY (%(ids)s::bigint[])
    ORDER BY id
    FOR UPDATE
),
deleted AS (
    DELETE FROM river_job AS job
    USING held
    WHERE job.id = held.id AND held.state <> 'running'
)
SELECT id, state::text
FROM held
ORDER BY id
