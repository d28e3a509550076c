-- job_list_finalized.sql
-- List jobs in last states, the most recently finalized first.
--   in:    states · queues · the filter, as parts/job_matches.sql has it · after_at and after_id, the last job of the
--          page before, NULL: from the start · rows
--   out:   up to rows jobs, whole, by finalized_at and id, descending
--   index: river_job_state_and_finalized_at_index, walked once a state; it is partial, hence the IS NOT NULL
WITH page AS MATERIALIZED (
    SELECT listed.id, listed.finalized_at
    FROM unnest(%(states)s::text[]) AS wanted (state)
    CROSS JOIN LATERAL (
        SELECT job.id, job.finalized_at
        FROM river_job AS job
        WHERE job.state = wanted.state::river_job_state
            AND job.finalized_at IS NOT NULL
            AND (%(queues)s::text[] IS NULL OR job.queue = ANY (%(queues)s::text[]))
            \ir parts/job_matches.sql
            AND (
                %(after_id)s::bigint IS NULL
                OR (job.finalized_at, job.id) < (%(after_at)s::timestamptz, %(after_id)s::bigint)
            )
        ORDER BY job.finalized_at DESC, job.id DESC
        LIMIT %(rows)s::int
    ) AS listed
    ORDER BY listed.finalized_at DESC, listed.id DESC
    LIMIT %(rows)s::int
)
SELECT
    \ir parts/job_whole.sql
FROM page
JOIN river_job AS job ON job.id = page.id
ORDER BY page.finalized_at DESC, page.id DESC
