-- job_count_matching.sql
-- Count the jobs that a filter names, up to a cap.
--   in:    the filter, as job_list_newest.sql has it · cap
--   out:   how many, at most cap
--   index: none serves every filter; the statement's time limit bounds what is read
SELECT count(*)
FROM (
    SELECT 1
    FROM river_job AS job
    WHERE (%(states)s::text[] IS NULL OR job.state = ANY (%(states)s::text[]::river_job_state[]))
        AND (%(queues)s::text[] IS NULL OR job.queue = ANY (%(queues)s::text[]))
        AND (%(kinds)s::text[] IS NULL OR job.kind = ANY (%(kinds)s::text[]))
        AND (%(tags)s::varchar[] IS NULL OR job.tags && %(tags)s::varchar[])
        AND (%(priorities)s::smallint[] IS NULL OR job.priority = ANY (%(priorities)s::smallint[]))
        AND (%(ids)s::bigint[] IS NULL OR job.id = ANY (%(ids)s::bigint[]))
        AND (%(created_after)s::timestamptz IS NULL OR job.created_at >= %(created_after)s::timestamptz)
        AND (%(created_before)s::timestamptz IS NULL OR job.created_at < %(created_before)s::timestamptz)
        AND (%(scheduled_after)s::timestamptz IS NULL OR job.scheduled_at >= %(scheduled_after)s::timestamptz)
        AND (%(scheduled_before)s::timestamptz IS NULL OR job.scheduled_at < %(scheduled_before)s::timestamptz)
        AND (%(finalized_after)s::timestamptz IS NULL OR job.finalized_at >= %(finalized_after)s::timestamptz)
        AND (%(finalized_before)s::timestamptz IS NULL OR job.finalized_at < %(finalized_before)s::timestamptz)
        AND (%(args)s::text IS NULL OR job.args @> %(args)s::text::jsonb)
        AND (%(metadata)s::text IS NULL OR job.metadata @> %(metadata)s::text::jsonb)
        AND (
            %(error)s::text IS NULL
            OR strpos(lower(job.errors[cardinality(job.errors)] ->> 'error'), lower(%(error)s::text)) > 0
        )
    LIMIT %(cap)s::int
) AS found
