-- job_get.sql
-- Return one job, whole.
--   in:    id
--   out:   the job, or no row
--   index: river_job_pkey
SELECT
    id, state::text, attempt, max_attempts, attempted_at, created_at, finalized_at, scheduled_at, priority, args::text,
    attempted_by, errors::text[], kind, metadata::text, queue, tags, unique_key, unique_states::text
FROM river_job
WHERE id = %(id)s::bigint
