-- job_enqueue_one.sql
-- Insert one job that is not unique, and tell the executors of its queue: the common case, written as narrowly as possible.
--   in:    kind, args and metadata (JSON text), queue, priority, max_attempts, scheduled_at (NULL: now), delay (seconds
--          from now, NULL: none), pending, tags (a JSON array of text)
--   out:   the whole job, and whether anybody was told
--   locks: none that another job's insert would wait for
WITH inserted AS (
    INSERT INTO river_job AS job (kind, args, metadata, queue, priority, max_attempts, scheduled_at, state, tags)
    VALUES (
        %(kind)s::text,
        %(args)s::jsonb,
        %(metadata)s::jsonb,
        %(queue)s::text,
        %(priority)s::smallint,
        %(max_attempts)s::smallint,
        coalesce(%(scheduled_at)s::timestamptz, now() + make_interval(secs => %(delay)s::float8), now()),
        CASE
            WHEN %(pending)s::bool THEN 'pending'
            WHEN %(scheduled_at)s::timestamptz IS NOT NULL OR %(delay)s::float8 IS NOT NULL THEN 'scheduled'
            ELSE 'available'
        END::river_job_state,
        ARRAY(SELECT jsonb_array_elements_text(%(tags)s::jsonb))::varchar(255)[]
    )
    RETURNING
        job.id, job.state, job.attempt, job.max_attempts, job.attempted_at, job.created_at, job.finalized_at,
        job.scheduled_at, job.priority, job.args, job.attempted_by, job.errors, job.kind, job.metadata, job.queue,
        job.tags, job.unique_key, job.unique_states
)
SELECT
    \ir parts/job_whole.sql
    , CASE
        WHEN job.state = 'available' THEN pg_notify(
            coalesce(%(schema)s::text, current_schema()) || '.river_insert',
            '{"queue": ' || to_json(job.queue)::text || '}'
        )
    END IS NOT NULL AS told
FROM inserted AS job
