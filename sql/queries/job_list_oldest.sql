-- job_list_oldest.sql
-- List jobs of any state, the oldest first.
--   in:    states · queues · the filter, as parts/job_matches.sql has it · newest, how many ids to look back ·
--          after_id, the last job of the page before, NULL: from the start · rows
--   out:   up to rows jobs, whole, by id
--   index: river_job_pkey
SELECT
    \ir parts/job_whole.sql
FROM river_job AS job
WHERE (%(states)s::text[] IS NULL OR job.state = ANY (%(states)s::text[]::river_job_state[]))
    AND (%(queues)s::text[] IS NULL OR job.queue = ANY (%(queues)s::text[]))
    \ir parts/job_matches.sql
    AND (
        %(newest)s::bigint IS NULL
        OR job.id > (SELECT coalesce(max(id), 0) FROM river_job) - %(newest)s::bigint
    )
    AND (%(after_id)s::bigint IS NULL OR job.id > %(after_id)s::bigint)
ORDER BY job.id
LIMIT %(rows)s::int
