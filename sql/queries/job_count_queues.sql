-- job_count_queues.sql
-- Count the unfinished jobs of each of many queues, no further than is worth showing.
--   in:    queues · states, not last ones · cap, of one state of one queue
--   out:   queue · counts, one of at most cap for each of states, in their order
--   index: riverrun_job_live_index; it is partial, hence the IN. The ORDER BY is that of the index and keeps the planner
--          to a walk that LIMIT can end
SELECT lane.queue, (
    SELECT array_agg(counted.jobs ORDER BY live.position)
    FROM unnest(%(states)s::text[]) WITH ORDINALITY AS live (state, position)
    CROSS JOIN LATERAL (
        SELECT count(*) AS jobs
        FROM (
            SELECT
            FROM river_job AS job
            WHERE job.state = live.state::river_job_state
                AND job.state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
                AND job.queue = lane.queue
            ORDER BY job.queue, job.priority, job.scheduled_at, job.id
            LIMIT %(cap)s::int
        ) AS capped
    ) AS counted
) AS counts
FROM unnest(%(queues)s::text[]) AS lane (queue)
