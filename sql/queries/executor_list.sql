-- executor_list.sql
-- List the executor processes that live, and how many jobs each is running.
--   in:    cap, where counting the jobs of one stops
--   out:   incarnation · server_id · queue · slots · pid · started_at · lease_until · busy
--   index: riverrun_job_live_index, the running jobs once; riverrun_executor has a row for each process
WITH running AS MATERIALIZED (
    SELECT attempted_by[array_upper(attempted_by, 1)] AS incarnation, count(*) AS jobs
    FROM (
        SELECT attempted_by
        FROM river_job
        WHERE state = 'running'
        ORDER BY queue, priority, scheduled_at, id
        LIMIT %(cap)s::int
    ) AS first
    GROUP BY 1
)
SELECT
    executor.incarnation,
    executor.server_id,
    executor.queue,
    executor.slots,
    executor.pid,
    executor.started_at,
    executor.lease_until,
    coalesce(running.jobs, 0)::int AS busy
FROM riverrun_executor AS executor
LEFT JOIN running USING (incarnation)
WHERE executor.lease_until > now()
ORDER BY executor.server_id, executor.queue, executor.incarnation
