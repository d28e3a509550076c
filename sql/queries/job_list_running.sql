-- job_list_running.sql
-- List running jobs, the one that has run longest first.
--   in:    queues · the filter, as parts/job_matches.sql has it · after_at and after_id, the last job of the page
--          before, NULL: from the start · rows
--   out:   up to rows jobs, whole, by attempted_at and id · matches · last_looked, as the other lists have them
--   index: riverrun_job_live_index (state); slots bound how many there are to sort
WITH page AS MATERIALIZED (
    SELECT job.id, job.attempted_at
    FROM river_job AS job
    WHERE job.state = 'running'
        AND (%(queues)s::text[] IS NULL OR job.queue = ANY (%(queues)s::text[]))
        \ir parts/job_matches.sql
        AND (
            %(after_id)s::bigint IS NULL
            OR (job.attempted_at, job.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
        )
    ORDER BY job.attempted_at, job.id
    LIMIT %(rows)s::int
)
SELECT
    \ir parts/job_whole.sql
    , true AS matches, false AS last_looked
FROM page
JOIN river_job AS job ON job.id = page.id
ORDER BY page.attempted_at, page.id
