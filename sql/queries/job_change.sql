-- job_change.sql
-- Change jobs that wait; what is NULL stays.
--   in:    ids · queue, priority, max_attempts, tags, args (JSON text) · scheduled_at, or delay in seconds from now
--   out:   id, state before, state afterwards, and whether it was changed, of every job that exists
--   locks: the jobs, in id order
--   index: river_job_pkey
-- A job that runs or has ended is left as it is. With a new time it is scheduled, or available when that time has
-- come; a retryable one stays retryable until then, a pending one stays pending. Its unique key stays what it was.
WITH held AS MATERIALIZED (
    SELECT id, state AS state_before
    FROM river_job
    WHERE id = ANY (%(ids)s::bigint[])
    ORDER BY id
    FOR UPDATE
),
due AS (
    SELECT coalesce(%(scheduled_at)s::timestamptz, now() + make_interval(secs => %(delay)s::float8)) AS at
),
changed AS (
    UPDATE river_job AS job
    SET queue = coalesce(%(queue)s::text, job.queue),
        priority = coalesce(%(priority)s::smallint, job.priority),
        max_attempts = coalesce(%(max_attempts)s::smallint, job.max_attempts),
        tags = coalesce(%(tags)s::varchar[], job.tags),
        args = coalesce(%(args)s::text::jsonb, job.args),
        scheduled_at = coalesce(due.at, job.scheduled_at),
        state = CASE
            WHEN due.at IS NULL OR job.state = 'pending' THEN job.state
            WHEN due.at <= now() THEN 'available'
            WHEN job.state = 'retryable' THEN 'retryable'
            ELSE 'scheduled'
        END::river_job_state
    FROM held, due
    WHERE job.id = held.id AND held.state_before IN ('available', 'pending', 'retryable', 'scheduled')
    RETURNING job.id, job.state, job.queue
),
woken AS (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_insert', json_build_object('queue', queue)::text
    )
    FROM (SELECT DISTINCT queue FROM changed WHERE state = 'available') AS queues
)
SELECT
    held.id, held.state_before::text, coalesce(changed.state, held.state_before)::text, changed.id IS NOT NULL,
    (SELECT count(*) FROM woken) AS woken
FROM held
LEFT JOIN changed ON changed.id = held.id
ORDER BY held.id
