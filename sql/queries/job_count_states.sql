-- job_count_states.sql
-- Count the jobs of each state, no further than is worth showing.
--   in:    states · cap
--   out:   state and count, at most cap
--   index: river_job_prioritized_fetching_index; the ORDER BY is what keeps the planner to a walk that LIMIT can end
SELECT wanted.state, (
    SELECT count(*)
    FROM (
        SELECT
        FROM river_job AS job
        WHERE job.state = wanted.state::river_job_state
        ORDER BY job.queue, job.priority, job.scheduled_at, job.id
        LIMIT %(cap)s::int
    ) AS counted
)
FROM unnest(%(states)s::text[]) AS wanted (state)
