-- queue_pause.sql
-- Pause queues; one that is paused already keeps the time at which it was.
--   in:    queue, or * for all that are known
--   out:   name of each queue that matches
--   index: river_queue_pkey
WITH paused AS (
    UPDATE river_queue
    SET paused_at = coalesce(paused_at, now()), updated_at = CASE WHEN paused_at IS NULL THEN now() ELSE updated_at END
    WHERE %(queue)s::text IN ('*', name)
    RETURNING name
)
SELECT name, (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_control',
        '{"action":"pause","queue":' || to_json(%(queue)s::text)::text || '}'
    )
)
FROM paused
ORDER BY name
