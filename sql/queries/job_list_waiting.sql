-- job_list_waiting.sql
-- List available (or pending) jobs in the order in which they would be claimed, whatever their queue.
--   in:    state · queues · the filter, as parts/job_matches.sql has it · after_priority, after_at and after_id, the
--          last job of the page before, NULL: from the start · rows
--   out:   up to rows jobs, whole, by priority, scheduled_at and id
--   index: riverrun_job_live_index, walked once a queue; it is partial, hence the IN. The queues are found by
--          skipping from one to the next
WITH RECURSIVE lanes (queue) AS (
    (
        SELECT job.queue
        FROM river_job AS job
        WHERE job.state = %(state)s::text::river_job_state AND job.state IN ('available', 'pending')
        ORDER BY job.queue
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT job.queue
        FROM river_job AS job
        WHERE job.state = %(state)s::text::river_job_state
            AND job.state IN ('available', 'pending')
            AND job.queue > lanes.queue
        ORDER BY job.queue
        LIMIT 1
    )
    FROM lanes
    WHERE lanes.queue IS NOT NULL
),
page AS MATERIALIZED (
    SELECT listed.id, listed.priority, listed.scheduled_at
    FROM lanes
    CROSS JOIN LATERAL (
        SELECT job.id, job.priority, job.scheduled_at
        FROM river_job AS job
        WHERE job.state = %(state)s::text::river_job_state
            AND job.state IN ('available', 'pending')
            AND job.queue = lanes.queue
            \ir parts/job_matches.sql
            AND (
                %(after_id)s::bigint IS NULL
                OR (job.priority, job.scheduled_at, job.id)
                > (%(after_priority)s::smallint, %(after_at)s::timestamptz, %(after_id)s::bigint)
            )
        ORDER BY job.priority, job.scheduled_at, job.id
        LIMIT %(rows)s::int
    ) AS listed
    WHERE %(queues)s::text[] IS NULL OR lanes.queue = ANY (%(queues)s::text[])
    ORDER BY listed.priority, listed.scheduled_at, listed.id
    LIMIT %(rows)s::int
)
SELECT
    \ir parts/job_whole.sql
FROM page
JOIN river_job AS job ON job.id = page.id
ORDER BY page.priority, page.scheduled_at, page.id
