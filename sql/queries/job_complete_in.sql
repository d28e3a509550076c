-- job_complete_in.sql
-- Complete a job within the transaction of its own handler: what the handler has written and this become true together.
--   in:    id, attempt, attempted_us, started_us, incarnation (the fence) · patch, JSON text merged into metadata, or NULL
--   out:   id; no row when the job no longer belongs to this attempt
--   locks: the job, until the handler's transaction ends
--   index: river_job_pkey; the state is compared as text so that no partial index full of dead entries is taken
UPDATE river_job AS job
SET state = 'completed',
    finalized_at = now(),
    metadata = CASE
        WHEN %(patch)s::jsonb IS NULL THEN metadata
        ELSE
            \ir parts/job_members.sql
            || %(patch)s::jsonb
    END
WHERE id = %(id)s::bigint
    AND state::text = 'running'
    AND attempt = %(attempt)s::smallint
    AND
        \ir parts/job_same_start.sql
    AND attempted_by[cardinality(attempted_by)] = %(incarnation)s::text
RETURNING id
