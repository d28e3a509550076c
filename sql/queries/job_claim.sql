-- job_claim.sql
-- Mark the best available jobs of one queue as running and return what an attempt needs.
--   in:    queue · slots, 1 or more · incarnation, the executor that will run them · kinds_left_out, may be empty ·
--          parallel arrays, one element a priority from 1 to 9: floors_us (microseconds since 1970) and floor_ids
--   out:   the claimed jobs in no promised order, fewer than slots when there are no more above the floors, none while
--          the queue is paused; times as whole microseconds since 1970, which cost the executor nothing to carry
--   locks: rows that another executor is claiming are skipped, never waited for
--   index: riverrun_job_live_index
-- Below the floor of its priority, (scheduled_at, id), no job is looked for: what lies there was claimed, and while an
-- old transaction keeps vacuum away a scan from the beginning would step over every job claimed since.
-- The attempt is counted here, so an executor that dies right after has used one up.
WITH due AS MATERIALIZED (
    SELECT job.id
    FROM unnest(%(floors_us)s::bigint[], %(floor_ids)s::bigint[]) WITH ORDINALITY AS floor (us, id, priority)
    CROSS JOIN LATERAL (
        SELECT id
        FROM river_job
        WHERE state = 'available'
            AND queue = %(queue)s::text
            AND priority = floor.priority::smallint
            AND (scheduled_at, id) > (timestamptz 'epoch' + floor.us * interval '1 microsecond', floor.id)
            AND scheduled_at <= now()
            AND kind <> ALL (%(kinds_left_out)s::text[])
        ORDER BY scheduled_at, id
        LIMIT %(slots)s::int
        FOR UPDATE SKIP LOCKED
    ) AS job
    WHERE NOT EXISTS (SELECT FROM river_queue WHERE name = %(queue)s::text AND paused_at IS NOT NULL)
    LIMIT %(slots)s::int
)
UPDATE river_job AS job
SET state = 'running',
    attempt = least(job.attempt + 1, 32767),  -- the last number there is; one more would stop the whole queue
    attempted_at = now(),
    attempted_by = array_append(
        CASE
            WHEN cardinality(job.attempted_by) >= 100 THEN job.attempted_by[cardinality(job.attempted_by) - 98:]
            ELSE job.attempted_by
        END,
        %(incarnation)s::text
    )
FROM due
WHERE job.id = due.id
RETURNING
    job.id,
    job.kind,
    job.args::text,
    job.attempt,
    job.max_attempts,
    job.priority,
    job.metadata::text,
    job.tags,
    coalesce(cardinality(job.errors), 0) AS errors,
    (extract(epoch FROM job.attempted_at) * 1000000)::bigint AS attempted_us,
    (extract(epoch FROM job.scheduled_at) * 1000000)::bigint AS scheduled_us,
    (extract(epoch FROM job.created_at) * 1000000)::bigint AS created_us
