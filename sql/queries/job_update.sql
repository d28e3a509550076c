-- job_update.sql
-- Merge metadata into a job, whatever its state, and return it.
--   in:    id · patch, JSON text of an object; its members replace those of the same names
--   out:   the job, whole; no row when there is none
--   locks: the job
--   index: river_job_pkey
UPDATE river_job AS job
SET metadata =
        \ir parts/job_members.sql
        || %(patch)s::jsonb
WHERE job.id = %(id)s::bigint
RETURNING
    \ir parts/job_whole.sql
