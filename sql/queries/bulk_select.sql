-- bulk_select.sql
-- Find the next jobs of an operation in a stretch of ids, whose length bounds the work whatever the filter is.
--   in:    after and until, the stretch · states · queues · the filter, as parts/job_matches.sql has it · rows
--   out:   up to rows ids, ascending
--   index: river_job_pkey
SELECT job.id
FROM river_job AS job
WHERE (%(states)s::text[] IS NULL OR job.state = ANY (%(states)s::text[]::river_job_state[]))
    AND (%(queues)s::text[] IS NULL OR job.queue = ANY (%(queues)s::text[]))
    \ir parts/job_matches.sql
    AND job.id > %(after)s::bigint
    AND job.id <= %(until)s::bigint
ORDER BY job.id
LIMIT %(rows)s::int
