-- job_list_due.sql
-- List jobs that wait for their time, the soonest first.
--   in:    states · queues · the filter, as parts/job_matches.sql has it · after_at and after_id, the last job of the
--          page before, NULL: from the start · looked, how many jobs to look at · rows
--   out:   up to rows jobs, whole, by scheduled_at and id: those that match, and the last one looked at · matches ·
--          last_looked
--   index: riverrun_job_due_index, walked no further than looked; it is partial, hence the IN
WITH page AS MATERIALIZED (
    SELECT looked.id, looked.scheduled_at, looked.matches, looked.place = %(looked)s::bigint AS last_looked
    FROM (
        SELECT
            job.id,
            job.scheduled_at,
            row_number() OVER (ORDER BY job.scheduled_at, job.id) AS place,
            (
                job.state = ANY (%(states)s::text[]::river_job_state[])
                AND (%(queues)s::text[] IS NULL OR job.queue = ANY (%(queues)s::text[]))
                \ir parts/job_matches.sql
            ) AS matches
        FROM river_job AS job
        WHERE job.state IN ('retryable', 'scheduled')
            AND (%(scheduled_after)s::timestamptz IS NULL OR job.scheduled_at >= %(scheduled_after)s::timestamptz)
            AND (%(scheduled_before)s::timestamptz IS NULL OR job.scheduled_at < %(scheduled_before)s::timestamptz)
            AND (
                %(after_id)s::bigint IS NULL
                OR (job.scheduled_at, job.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
            )
        ORDER BY job.scheduled_at, job.id
        LIMIT %(looked)s::bigint
    ) AS looked
    WHERE looked.matches OR looked.place = %(looked)s::bigint
    ORDER BY looked.scheduled_at, looked.id
    LIMIT %(rows)s::int
)
SELECT
    \ir parts/job_whole.sql
    , page.matches, page.last_looked
FROM page
JOIN river_job AS job ON job.id = page.id
ORDER BY page.scheduled_at, page.id
