-- executor_forget.sql
-- Forget executors whose lease ran out, once none of their jobs is left running.
--   in:    generation, the leader's term
--   out:   incarnation of each
--   locks: their rows; locked ones, just being renewed, are left
--   index: riverrun_job_live_index (state); riverrun_executor has a row for each executor process
WITH gone AS MATERIALIZED (
    SELECT incarnation
    FROM riverrun_executor AS executor
    WHERE lease_until < now() - interval '1 second'
        AND NOT EXISTS (
            SELECT
            FROM river_job
            WHERE state = 'running' AND attempted_by[cardinality(attempted_by)] = executor.incarnation
        )
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    ORDER BY incarnation
    FOR UPDATE OF executor SKIP LOCKED
)
DELETE FROM riverrun_executor AS executor
USING gone
WHERE executor.incarnation = gone.incarnation
RETURNING executor.incarnation
