-- job_update.sql
-- Merge metadata into a job, whatever its state, and return it.
--   in:    id · patch, JSON text of an object; its members replace those of the same names
--   out:   the job, whole; no row when there is none
--   locks: the job
--   index: river_job_pkey
UPDATE river_job
SET metadata = metadata || %(patch)s::jsonb
WHERE id = %(id)s::bigint
RETURNING
    id, state::text, attempt, max_attempts, attempted_at, created_at, finalized_at, scheduled_at, priority, args::text,
    attempted_by, errors::text[], kind, metadata::text, queue, tags, unique_key, unique_states::text
