-- executor_missing.sql
-- Name executors of ours that have running jobs but no lease.
--   in:    nothing
--   out:   incarnation, in no promised order
--   locks: none
--   index: riverrun_job_live_index (state)
SELECT DISTINCT running.incarnation
FROM (
    SELECT attempted_by[cardinality(attempted_by)] AS incarnation
    FROM river_job
    WHERE state = 'running'
) AS running
WHERE running.incarnation ~
    \ir parts/incarnation_of_ours.sql
    AND NOT EXISTS (SELECT FROM riverrun_executor AS executor WHERE executor.incarnation = running.incarnation)
