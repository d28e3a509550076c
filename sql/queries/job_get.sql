-- job_get.sql
-- Return one job, whole.
--   in:    id
--   out:   the job, or no row
--   index: river_job_pkey
SELECT
    \ir parts/job_whole.sql
FROM river_job AS job
WHERE job.id = %(id)s::bigint
