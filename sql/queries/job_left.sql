-- job_left.sql
-- Say how far the jobs of a measurement are, asked many times a second beside it.
--   in:    queue · after, the id behind which to look for jobs that are not finalized
--   out:   the best id that waits, or NULL · whether a job behind after is not finalized · seconds since 1970, now
--   index: riverrun_job_live_index, river_job_pkey
SELECT
    (
        SELECT id
        FROM river_job
        WHERE state = 'available' AND queue = %(queue)s::text
        ORDER BY priority, scheduled_at, id
        LIMIT 1
    ) AS next_id,
    EXISTS (
        SELECT
        FROM river_job
        WHERE id > %(after)s::bigint AND queue = %(queue)s::text AND finalized_at IS NULL
    ) AS unfinished,
    extract(epoch FROM clock_timestamp())::float8 AS clock
