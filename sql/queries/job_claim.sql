-- job_claim.sql
-- Mark the best available jobs of one queue as running and return what an attempt needs.
--   in:    queue · slots, 1 or more · incarnation, the executor that will run them · kinds_left_out, may be empty ·
--          parallel arrays, one element a priority from 1 to 9: floors_us (microseconds since 1970, 0: no floor) and floor_ids
--   out:   the claimed jobs (parts/job_claimed.sql) in no promised order, fewer than slots when there are no more above
--          the floors, none while the queue is paused
--   locks: rows that another executor is claiming are skipped, never waited for
--   index: riverrun_job_live_index
-- Below the floor of its priority, (scheduled_at, id), no job is looked for: what lies there was claimed, and while an
-- old transaction keeps vacuum away a scan from the beginning would step over every job claimed since.
WITH due AS MATERIALIZED (
    SELECT job.id
    FROM unnest(%(floors_us)s::bigint[], %(floor_ids)s::bigint[]) WITH ORDINALITY AS floor (us, id, priority)
    CROSS JOIN LATERAL (
        SELECT id
        FROM river_job
        WHERE state = 'available'
            AND queue = %(queue)s::text
            AND priority = floor.priority::smallint
            AND (scheduled_at, id) > (
                coalesce(timestamptz 'epoch' + nullif(floor.us, 0) * interval '1 microsecond', '-infinity'), floor.id
            )
            AND scheduled_at <= now()
            AND kind <> ALL (%(kinds_left_out)s::text[])
        ORDER BY scheduled_at, id
        LIMIT %(slots)s::int
        FOR UPDATE SKIP LOCKED
    ) AS job
    WHERE NOT EXISTS (SELECT FROM river_queue WHERE name = %(queue)s::text AND paused_at IS NOT NULL)
    LIMIT %(slots)s::int
)
\ir parts/job_mark_running.sql
RETURNING
    \ir parts/job_claimed.sql
