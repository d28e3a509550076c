-- queue_pause.sql
-- Pause queues; one that is paused already keeps the time at which it was, and gets the new reason.
--   in:    queue, or * for all that are known · reason · actor, who says so · resume_at, when the leader lets it go on,
--          NULL: when somebody does
--   out:   name of each queue that matches
--   index: river_queue_pkey, riverrun_queue_pause_pkey
WITH paused AS (
    UPDATE river_queue
    SET paused_at = coalesce(paused_at, now()), updated_at = CASE WHEN paused_at IS NULL THEN now() ELSE updated_at END
    WHERE %(queue)s::text IN ('*', name)
    RETURNING name, paused_at
),
told AS (
    INSERT INTO riverrun_queue_pause (queue, paused_at, reason, actor, resume_at)
    SELECT name, paused_at, %(reason)s::text, %(actor)s::text, %(resume_at)s::timestamptz
    FROM paused
    ORDER BY name
    ON CONFLICT (queue) DO UPDATE
    SET paused_at = excluded.paused_at, reason = excluded.reason, actor = excluded.actor, resume_at = excluded.resume_at
)
SELECT name, (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_control',
        '{"action":"pause","queue":' || to_json(%(queue)s::text)::text || '}'
    )
)
FROM paused
ORDER BY name
