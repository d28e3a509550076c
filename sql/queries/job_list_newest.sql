-- job_list_newest.sql
-- List jobs of any state, the newest first.
--   in:    states · queues · the filter, as parts/job_matches.sql has it · after_id, the last job of the page before,
--          NULL: from the start · looked, how many jobs to look at · rows
--   out:   up to rows jobs, whole, by id, descending: those that match, and the last one looked at ·
--          matches · last_looked
--   index: river_job_pkey, walked no further than looked
WITH page AS MATERIALIZED (
    SELECT looked.id, looked.matches, looked.place = %(looked)s::bigint AS last_looked
    FROM (
        SELECT
            job.id,
            row_number() OVER (ORDER BY job.id DESC) AS place,
            (
                (%(states)s::text[] IS NULL OR job.state = ANY (%(states)s::text[]::river_job_state[]))
                AND (%(queues)s::text[] IS NULL OR job.queue = ANY (%(queues)s::text[]))
                \ir parts/job_matches.sql
            ) AS matches
        FROM river_job AS job
        WHERE (%(ids)s::bigint[] IS NULL OR job.id = ANY (%(ids)s::bigint[]))
            AND (%(after_id)s::bigint IS NULL OR job.id < %(after_id)s::bigint)
        ORDER BY job.id DESC
        LIMIT %(looked)s::bigint
    ) AS looked
    WHERE looked.matches OR looked.place = %(looked)s::bigint
    ORDER BY looked.id DESC
    LIMIT %(rows)s::int
)
SELECT
    \ir parts/job_whole.sql
    , page.matches, page.last_looked
FROM page
JOIN river_job AS job ON job.id = page.id
ORDER BY page.id DESC
