-- queue_gauges.sql
-- Measure every known queue: how much waits, for how long, whether it is paused, whether anybody works on it.
--   in:    states to count · cap, where counting stops
--   out:   queue · counts, one for each of states, capped · oldest_seconds, age of the oldest
--          job that is due, 0 without one · paused · served
--   locks: none
--   index: riverrun_job_live_index; it is partial, hence the IN; the ORDER BY keeps each count within it, so that the cap bounds
--          it; one probe for each priority; riverrun_executor has a row for each process
SELECT
    queue.name,
    waiting.counts,
    coalesce(extract(epoch FROM now() - oldest.scheduled_at), 0)::float8 AS oldest_seconds,
    queue.paused,
    EXISTS (
        SELECT
        FROM riverrun_executor AS executor
        WHERE executor.queue = queue.name AND executor.slots > 0 AND executor.lease_until >= now()
    ) AS served
FROM (
    SELECT name, bool_or(paused) AS paused
    FROM (
        SELECT name, paused_at IS NOT NULL AS paused FROM river_queue
        UNION ALL
        SELECT queue, false FROM riverrun_executor
    ) AS known
    GROUP BY name
    ORDER BY name
    LIMIT 200
) AS queue
CROSS JOIN LATERAL (
    SELECT array_agg(counted.jobs ORDER BY live.position) AS counts
    FROM unnest(%(states)s::text[]) WITH ORDINALITY AS live (state, position)
    CROSS JOIN LATERAL (
        SELECT count(*) AS jobs
        FROM (
            SELECT
            FROM river_job AS job
            WHERE job.state = live.state::river_job_state
                AND job.state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
                AND job.queue = queue.name
            ORDER BY job.queue, job.priority, job.scheduled_at, job.id
            LIMIT %(cap)s::int
        ) AS capped
    ) AS counted
) AS waiting
LEFT JOIN LATERAL (
    SELECT min(greatest(first.scheduled_at, '0001-01-02 00:00+00')) AS scheduled_at
    FROM generate_series(1, 9) AS priority (value)
    CROSS JOIN LATERAL (
        SELECT job.scheduled_at
        FROM river_job AS job
        WHERE job.state = 'available'
            AND job.queue = queue.name
            AND job.priority = priority.value
            AND job.scheduled_at <= now()
        ORDER BY job.scheduled_at
        LIMIT 1
    ) AS first
) AS oldest ON true
ORDER BY queue.name
