-- kind_unhandled.sql
-- Name kinds that wait without a handler, as far as the first jobs of each queue show.
--   in:    rows, how many jobs of each queue and state to look at
--   out:   kind · one of its queues · how many of its jobs were seen; the most frequent 20
--   locks: none
--   index: riverrun_job_live_index, skipping from queue to queue; it is partial, hence the IN; riverrun_handler_pkey
WITH RECURSIVE lanes (state, queue) AS (
    SELECT waiting.state, (
        SELECT job.queue
        FROM river_job AS job
        WHERE job.state = waiting.state AND job.state IN ('available', 'retryable')
        ORDER BY job.queue
        LIMIT 1
    )
    FROM unnest('{available,retryable}'::river_job_state[]) AS waiting (state)
    UNION ALL
    SELECT lanes.state, (
        SELECT job.queue
        FROM river_job AS job
        WHERE job.state = lanes.state AND job.state IN ('available', 'retryable') AND job.queue > lanes.queue
        ORDER BY job.queue
        LIMIT 1
    )
    FROM lanes
    WHERE lanes.queue IS NOT NULL
)
SELECT first.kind, min(lanes.queue) AS queue, count(*) AS jobs
FROM lanes
CROSS JOIN LATERAL (
    SELECT job.kind
    FROM river_job AS job
    WHERE job.state = lanes.state AND job.state IN ('available', 'retryable') AND job.queue = lanes.queue
    ORDER BY job.priority, job.scheduled_at, job.id
    LIMIT %(rows)s::int
) AS first
WHERE NOT EXISTS (SELECT FROM riverrun_handler AS handler WHERE handler.kind = first.kind)
GROUP BY first.kind
ORDER BY count(*) DESC, first.kind
LIMIT 20
