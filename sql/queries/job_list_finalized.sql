-- job_list_finalized.sql
-- List jobs in last states, the most recently finalized first.
--   in:    states · queues · the filter, as parts/job_matches.sql has it · after_at and after_id, the last job of the
--          page before, NULL: from the start · looked, how many jobs of each state to look at · rows
--   out:   up to rows jobs, whole, by finalized_at and id, descending: those that match, and the last one looked at of
--          each state · matches · last_looked
--   index: river_job_state_and_finalized_at_index, walked once a state and no further than looked; it is partial, hence
--          the IS NOT NULL
WITH page AS MATERIALIZED (
    SELECT listed.id, listed.finalized_at, listed.matches, listed.last_looked
    FROM unnest(%(states)s::text[]) AS wanted (state)
    CROSS JOIN LATERAL (
        SELECT looked.id, looked.finalized_at, looked.matches, looked.place = %(looked)s::bigint AS last_looked
        FROM (
            SELECT
                job.id,
                job.finalized_at,
                row_number() OVER (ORDER BY job.finalized_at DESC, job.id DESC) AS place,
                (
                    (%(queues)s::text[] IS NULL OR job.queue = ANY (%(queues)s::text[]))
                    \ir parts/job_matches.sql
                ) AS matches
            FROM river_job AS job
            WHERE job.state = wanted.state::river_job_state
                AND job.finalized_at IS NOT NULL
                AND (
                    %(finalized_after)s::timestamptz IS NULL OR job.finalized_at >= %(finalized_after)s::timestamptz
                )
                AND (
                    %(finalized_before)s::timestamptz IS NULL OR job.finalized_at < %(finalized_before)s::timestamptz
                )
                AND (
                    %(after_id)s::bigint IS NULL
                    OR (job.finalized_at, job.id) < (%(after_at)s::timestamptz, %(after_id)s::bigint)
                )
            ORDER BY job.finalized_at DESC, job.id DESC
            LIMIT %(looked)s::bigint
        ) AS looked
        WHERE looked.matches OR looked.place = %(looked)s::bigint
        ORDER BY looked.finalized_at DESC, looked.id DESC
        LIMIT %(rows)s::int
    ) AS listed
    ORDER BY listed.finalized_at DESC, listed.id DESC
    LIMIT %(rows)s::int
)
SELECT
    \ir parts/job_whole.sql
    , page.matches, page.last_looked
FROM page
JOIN river_job AS job ON job.id = page.id
ORDER BY page.finalized_at DESC, page.id DESC
