-- job_list_running.sql
-- List running jobs, the one that has run longest first.
--   in:    queues, kinds, tags, priorities, ids (arrays, any of each), tags_all (every one), created_after,
--          created_before, scheduled_after, scheduled_before, finalized_after, finalized_before, args and metadata (JSON
--          that they contain), error (words of the last one); each NULL: any ·
--          after_at and after_id, the last job of the page before, NULL: from the start · rows
--   out:   up to rows jobs, whole, by attempted_at and id
--   index: riverrun_job_live_index (state); slots bound how many there are to sort
SELECT
    job.id, job.state::text, job.attempt, job.max_attempts, job.attempted_at, job.created_at, job.finalized_at,
    job.scheduled_at, job.priority, job.args::text, job.attempted_by, job.errors::text[], job.kind, job.metadata::text,
    job.queue, job.tags, job.unique_key, job.unique_states::text
FROM river_job AS job
WHERE job.state = 'running'
    AND (%(queues)s::text[] IS NULL OR job.queue = ANY (%(queues)s::text[]))
    AND (%(kinds)s::text[] IS NULL OR job.kind = ANY (%(kinds)s::text[]))
    AND (%(tags)s::varchar[] IS NULL OR job.tags && %(tags)s::varchar[])
    AND (%(tags_all)s::varchar[] IS NULL OR job.tags @> %(tags_all)s::varchar[])
    AND (%(metadata)s::text IS NULL OR job.metadata @> %(metadata)s::text::jsonb)
    AND (%(priorities)s::smallint[] IS NULL OR job.priority = ANY (%(priorities)s::smallint[]))
    AND (%(ids)s::bigint[] IS NULL OR job.id = ANY (%(ids)s::bigint[]))
    AND (%(created_after)s::timestamptz IS NULL OR job.created_at >= %(created_after)s::timestamptz)
    AND (%(created_before)s::timestamptz IS NULL OR job.created_at < %(created_before)s::timestamptz)
    AND (%(scheduled_after)s::timestamptz IS NULL OR job.scheduled_at >= %(scheduled_after)s::timestamptz)
    AND (%(scheduled_before)s::timestamptz IS NULL OR job.scheduled_at < %(scheduled_before)s::timestamptz)
    AND (%(finalized_after)s::timestamptz IS NULL OR job.finalized_at >= %(finalized_after)s::timestamptz)
    AND (%(finalized_before)s::timestamptz IS NULL OR job.finalized_at < %(finalized_before)s::timestamptz)
    AND (%(args)s::text IS NULL OR job.args @> %(args)s::text::jsonb)
    AND (
        %(error)s::text IS NULL
        OR strpos(lower(job.errors[cardinality(job.errors)] ->> 'error'), lower(%(error)s::text)) > 0
    )
    AND (
        %(after_id)s::bigint IS NULL
        OR (job.attempted_at, job.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
    )
ORDER BY job.attempted_at, job.id
LIMIT %(rows)s::int
