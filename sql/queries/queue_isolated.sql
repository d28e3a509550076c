-- queue_isolated.sql
-- Name the queues in which a job waits for an isolated executor.
--   in:    queues, those to look at
--   out:   queue
--   locks: none
--   index: riverrun_job_live_index (state, queue)
SELECT queue
FROM unnest(%(queues)s::text[]) AS given (queue)
WHERE EXISTS (
    SELECT
    FROM river_job AS job
    WHERE job.state = 'pending' AND job.queue = given.queue AND job.metadata ? 'riverrun:isolated'
)
