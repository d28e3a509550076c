-- job_matches.sql
-- Part of statements that look for jobs by a filter: what it says of river_job AS job beside states and queues.
--   in:    kinds, tags, priorities, ids (arrays, any of each) · tags_all (every one) · created_after, created_before,
--          scheduled_after, scheduled_before, finalized_after, finalized_before · args and metadata (JSON that they
--          contain) · error (words of the last one) · fingerprints of kind and message of the last one; each NULL: any
-- A NULL filter is folded away by a custom plan.
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
    %(fingerprints)s::text[] IS NULL
    OR (
        SELECT left(md5(job.kind || E'\n' || failure.message), 16)
        FROM (
            SELECT
                \ir failure_message.sql
                AS message
            FROM (SELECT coalesce(job.errors[cardinality(job.errors)] ->> 'error', '') AS said) AS failed
            WHERE cardinality(job.errors) > 0
        ) AS failure
    ) = ANY (%(fingerprints)s::text[])
)
