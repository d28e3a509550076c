-- queue_resume.sql
-- Let paused queues go on.
--   in:    queue, or * for all that are known
--   out:   name of each queue that matches
--   index: river_queue_pkey, riverrun_queue_pause_pkey
WITH resumed AS (
    UPDATE river_queue
    SET paused_at = NULL, updated_at = CASE WHEN paused_at IS NULL THEN updated_at ELSE now() END
    WHERE %(queue)s::text IN ('*', name)
    RETURNING name
),
forgotten AS (
    DELETE FROM riverrun_queue_pause
    WHERE %(queue)s::text IN ('*', queue)
)
SELECT name, (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_control',
        '{"action":"resume","queue":' || to_json(%(queue)s::text)::text || '}'
    )
)
FROM resumed
ORDER BY name
