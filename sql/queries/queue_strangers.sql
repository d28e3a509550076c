-- queue_strangers.sql
-- Say whether a queue is in use by others than a measurement.
--   in:    queue · prefix, with which the kinds of a measurement's own jobs begin
--   out:   whether it holds other jobs · whether executors with a valid lease work on it
--   index: riverrun_job_live_index for what waits; finished jobs are read in full, once before a measurement
SELECT
    EXISTS (
        SELECT FROM river_job WHERE queue = %(queue)s::text AND NOT starts_with(kind, %(prefix)s::text)
    ) AS jobs,
    EXISTS (
        SELECT FROM riverrun_executor WHERE queue = %(queue)s::text AND lease_until > now()
    ) AS executors
