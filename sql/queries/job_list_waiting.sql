-- job_list_waiting.sql
-- List available (or pending) jobs in the order in which they would be claimed, whatever their queue.
--   in:    state · queues, kinds, tags, priorities, ids (arrays, any of each), tags_all (every one), created_after,
--          created_before, scheduled_after, scheduled_before, finalized_after, finalized_before, args and metadata (JSON
--          that they contain), error (words of the last one); each NULL: any ·
--          after_priority, after_at and after_id, the last job of the page before, NULL: from the start · rows
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
    job.id, job.state::text, job.attempt, job.max_attempts, job.attempted_at, job.created_at, job.finalized_at,
    job.scheduled_at, job.priority, job.args::text, job.attempted_by, job.errors::text[], job.kind, job.metadata::text,
    job.queue, job.tags, job.unique_key, job.unique_states::text
FROM page
JOIN river_job AS job ON job.id = page.id
ORDER BY page.priority, page.scheduled_at, page.id
