-- job_count_finished.sql
-- Count the jobs of a measurement that are finalized.
--   in:    first, the id of its first job
--   out:   how many
--   index: river_job_pkey
SELECT count(*)
FROM river_job
WHERE id >= %(first)s::bigint AND finalized_at IS NOT NULL
