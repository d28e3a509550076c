-- job_count_queues.sql
-- Count the jobs of some states in each of some queues, no further than is worth showing.
--   in:    states · queues · cap
--   out:   queue, state and count, at most cap
--   index: river_job_prioritized_fetching_index; the ORDER BY is what keeps the planner to a walk that LIMIT can end
SELECT lane.queue, wanted.state, (
    SELECT count(*)
    FROM (
        SELECT
        FROM river_job AS job
        WHERE job.state = wanted.state::river_job_state AND job.queue = lane.queue
        ORDER BY job.priority, job.scheduled_at, job.id
        LIMIT %(cap)s::int
    ) AS counted
)
FROM unnest(%(queues)s::text[]) AS lane (queue)
CROSS JOIN unnest(%(states)s::text[]) AS wanted (state)
