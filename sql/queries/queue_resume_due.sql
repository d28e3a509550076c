-- queue_resume_due.sql
-- Let queues go on whose pause was to end by now, unless another pause has begun since it was said.
--   in:    generation, the leader's term
--   out:   name of each queue that goes on
--   locks: those queues and what was said about them
--   index: riverrun_queue_pause has a row for each paused queue: a scan is right; river_queue_pkey
WITH over AS (
    DELETE FROM riverrun_queue_pause
    WHERE resume_at <= now() AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    RETURNING queue, paused_at
),
resumed AS (
    UPDATE river_queue
    SET paused_at = NULL, updated_at = now()
    FROM over
    WHERE river_queue.name = over.queue AND river_queue.paused_at = over.paused_at
    RETURNING river_queue.name
)
SELECT name, (
    SELECT pg_notify(
        coalesce(%(schema)s::text, current_schema()) || '.river_control',
        '{"action":"resume","queue":' || to_json(name)::text || '}'
    )
)
FROM resumed
ORDER BY name
