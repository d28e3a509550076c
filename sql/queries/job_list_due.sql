-- job_list_due.sql
-- List jobs that wait for their time, the soonest first.
--   in:    states · queues · the filter, as parts/job_matches.sql has it · after_at and after_id, the last job of the
--          page before, NULL: from the start · rows
--   out:   up to rows jobs, whole, by scheduled_at and id
--   index: riverrun_job_due_index; it is partial, hence the IN
SELECT
    \ir parts/job_whole.sql
FROM river_job AS job
WHERE job.state IN ('retryable', 'scheduled')
    AND job.state = ANY (%(states)s::text[]::river_job_state[])
    AND (%(queues)s::text[] IS NULL OR job.queue = ANY (%(queues)s::text[]))
    \ir parts/job_matches.sql
    AND (
        %(after_id)s::bigint IS NULL
        OR (job.scheduled_at, job.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
    )
ORDER BY job.scheduled_at, job.id
LIMIT %(rows)s::int
