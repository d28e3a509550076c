-- job_sweep.sql
-- Delete every job that measurements left, whatever its state.
--   in:    prefix, with which their kinds begin
--   out:   how many were deleted
--   locks: those jobs
--   index: none; reads the table once, after a measurement
WITH gone AS (
    DELETE FROM river_job
    WHERE starts_with(kind, %(prefix)s::text)
    RETURNING id
)
SELECT count(*) FROM gone
