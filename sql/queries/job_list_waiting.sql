-- job_list_waiting.sql
-- List available (or pending) jobs in the order in which they would be claimed, whatever their queue.
--   in:    state · queues · the filter, as parts/job_matches.sql has it · after_priority, after_at and after_id, the
--          last job of the page before, NULL: from the start · looked, how many jobs to look at · rows
--   out:   up to rows jobs, whole, by priority, scheduled_at and id: those that match, and the last one looked at of each
--          queue · matches · last_looked
--   index: riverrun_job_live_index, walked once a queue, no further than its share of looked; it is partial, hence the
--          IN. The queues are found by skipping from one to the next
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
chosen AS (
    SELECT queue
    FROM lanes
    WHERE queue IS NOT NULL AND (%(queues)s::text[] IS NULL OR queue = ANY (%(queues)s::text[]))
),
reach AS (
    SELECT greatest(%(looked)s::bigint / greatest(count(*), 1), 10) AS jobs FROM chosen
),
page AS MATERIALIZED (
    SELECT listed.id, listed.priority, listed.scheduled_at, listed.matches, listed.last_looked
    FROM chosen
    CROSS JOIN LATERAL (
        SELECT
            looked.id,
            looked.priority,
            looked.scheduled_at,
            looked.matches,
            looked.place = (SELECT jobs FROM reach) AS last_looked
        FROM (
            SELECT
                job.id,
                job.priority,
                job.scheduled_at,
                row_number() OVER (ORDER BY job.priority, job.scheduled_at, job.id) AS place,
                (
                    true
                    \ir parts/job_matches.sql
                ) AS matches
            FROM river_job AS job
            WHERE job.state = %(state)s::text::river_job_state
                AND job.state IN ('available', 'pending')
                AND job.queue = chosen.queue
                AND (
                    %(after_id)s::bigint IS NULL
                    OR (job.priority, job.scheduled_at, job.id)
                    > (%(after_priority)s::smallint, %(after_at)s::timestamptz, %(after_id)s::bigint)
                )
            ORDER BY job.priority, job.scheduled_at, job.id
            LIMIT (SELECT jobs FROM reach)
        ) AS looked
        WHERE looked.matches OR looked.place = (SELECT jobs FROM reach)
        ORDER BY looked.priority, looked.scheduled_at, looked.id
        LIMIT %(rows)s::int
    ) AS listed
    ORDER BY listed.priority, listed.scheduled_at, listed.id
    LIMIT %(rows)s::int
)
SELECT
    \ir parts/job_whole.sql
    , page.matches, page.last_looked
FROM page
JOIN river_job AS job ON job.id = page.id
ORDER BY page.priority, page.scheduled_at, page.id
